import HTTPTypes

/// An operation of the API; the raw value is its name there.
enum LambdaOperation: String, CaseIterable, Sendable {
    case invoke = "Invoke"
    case createFunction = "CreateFunction"
    case deleteFunction = "DeleteFunction"
    case getAccountSettings = "GetAccountSettings"
    case getFunction = "GetFunction"
    case getFunctionCodeSigningConfig = "GetFunctionCodeSigningConfig"
    case getFunctionConfiguration = "GetFunctionConfiguration"
    case listFunctions = "ListFunctions"
    case listTags = "ListTags"
    case listVersionsByFunction = "ListVersionsByFunction"
    case publishVersion = "PublishVersion"
    case updateFunctionCode = "UpdateFunctionCode"
    case updateFunctionConfiguration = "UpdateFunctionConfiguration"

    /// Method and path; `*` is the function or the ARN (botocore's service model of 2015-03-31).
    fileprivate var pattern: String {
        switch self {
        case .invoke: "POST /2015-03-31/functions/*/invocations"
        case .createFunction: "POST /2015-03-31/functions"
        case .deleteFunction: "DELETE /2015-03-31/functions/*"
        case .getAccountSettings: "GET /2016-08-19/account-settings"
        case .getFunction: "GET /2015-03-31/functions/*"
        case .getFunctionCodeSigningConfig: "GET /2020-06-30/functions/*/code-signing-config"
        case .getFunctionConfiguration: "GET /2015-03-31/functions/*/configuration"
        case .listFunctions: "GET /2015-03-31/functions"
        case .listTags: "GET /2017-03-31/tags/*"
        case .listVersionsByFunction: "GET /2015-03-31/functions/*/versions"
        case .publishVersion: "POST /2015-03-31/functions/*/versions"
        case .updateFunctionCode: "PUT /2015-03-31/functions/*/code"
        case .updateFunctionConfiguration: "PUT /2015-03-31/functions/*/configuration"
        }
    }

    /// The permission that calling it takes, as refusals name it.
    var action: String { self == .invoke ? "lambda:InvokeFunction" : "lambda:\(rawValue)" }

    /// The operation as limits on sizes name it.
    var nameInLimits: String { self == .invoke ? "InvokeFunction" : rawValue }

    var carriesCode: Bool { self == .createFunction || self == .updateFunctionCode }
}

/// Which operation a request is for, and about what.
struct LambdaRoute: Hashable, Sendable {
    let operation: LambdaOperation
    /// The part of the path that names the function or resource, decoded; empty when there is none.
    let resource: String

    private static let table = LambdaOperation.allCases.map { operation in
        let words = operation.pattern.split(separator: " ")
        return (operation, method: String(words[0]), segments: words[1].split(separator: "/").map(String.init))
    }

    /// - Returns: `nil` when the API has no such operation, or this engine does not know it. O(operations).
    init?(_ method: HTTPRequest.Method, _ path: Substring) {
        let segments = path.split(separator: "/")
        let row = Self.table.first { row in
            row.segments.count == segments.count && row.method == method.rawValue
                && zip(row.segments, segments).allSatisfy { $0 == "*" || $0 == $1 }
        }
        guard let row else { return nil }
        operation = row.0
        resource = row.segments.firstIndex(of: "*").map { PercentEncoding.decode(segments[$0]) } ?? ""
    }
}
