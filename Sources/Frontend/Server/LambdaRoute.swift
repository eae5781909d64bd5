import HTTPTypes

/// An operation of the API; the raw value is its name there.
enum LambdaOperation: String, CaseIterable, Sendable {
    case invoke = "Invoke"
    case invokeWithResponseStream = "InvokeWithResponseStream"
    case createFunction = "CreateFunction"
    case deleteFunction = "DeleteFunction"
    case deleteFunctionConcurrency = "DeleteFunctionConcurrency"
    case deleteProvisionedConcurrencyConfig = "DeleteProvisionedConcurrencyConfig"
    case getAccountSettings = "GetAccountSettings"
    case getFunction = "GetFunction"
    case getFunctionCodeSigningConfig = "GetFunctionCodeSigningConfig"
    case getFunctionConcurrency = "GetFunctionConcurrency"
    case getFunctionConfiguration = "GetFunctionConfiguration"
    case getProvisionedConcurrencyConfig = "GetProvisionedConcurrencyConfig"
    case listFunctions = "ListFunctions"
    case listProvisionedConcurrencyConfigs = "ListProvisionedConcurrencyConfigs"
    case listTags = "ListTags"
    case listVersionsByFunction = "ListVersionsByFunction"
    case publishVersion = "PublishVersion"
    case putFunctionConcurrency = "PutFunctionConcurrency"
    case putProvisionedConcurrencyConfig = "PutProvisionedConcurrencyConfig"
    case updateFunctionCode = "UpdateFunctionCode"
    case updateFunctionConfiguration = "UpdateFunctionConfiguration"

    /// Method and path; `*` is the function or the ARN (botocore's service model of 2015-03-31). What one operation has in its query and
    /// another of the same path has not follows `?`.
    fileprivate var pattern: String {
        switch self {
        case .invoke: "POST /2015-03-31/functions/*/invocations"
        case .invokeWithResponseStream: "POST /2021-11-15/functions/*/response-streaming-invocations"
        case .createFunction: "POST /2015-03-31/functions"
        case .deleteFunction: "DELETE /2015-03-31/functions/*"
        case .deleteFunctionConcurrency: "DELETE /2017-10-31/functions/*/concurrency"
        case .deleteProvisionedConcurrencyConfig: "DELETE /2019-09-30/functions/*/provisioned-concurrency"
        case .getAccountSettings: "GET /2016-08-19/account-settings"
        case .getFunction: "GET /2015-03-31/functions/*"
        case .getFunctionCodeSigningConfig: "GET /2020-06-30/functions/*/code-signing-config"
        case .getFunctionConcurrency: "GET /2019-09-30/functions/*/concurrency"
        case .getFunctionConfiguration: "GET /2015-03-31/functions/*/configuration"
        case .getProvisionedConcurrencyConfig: "GET /2019-09-30/functions/*/provisioned-concurrency"
        case .listFunctions: "GET /2015-03-31/functions"
        case .listProvisionedConcurrencyConfigs: "GET /2019-09-30/functions/*/provisioned-concurrency?List=ALL"
        case .listTags: "GET /2017-03-31/tags/*"
        case .listVersionsByFunction: "GET /2015-03-31/functions/*/versions"
        case .publishVersion: "POST /2015-03-31/functions/*/versions"
        case .putFunctionConcurrency: "PUT /2017-10-31/functions/*/concurrency"
        case .putProvisionedConcurrencyConfig: "PUT /2019-09-30/functions/*/provisioned-concurrency"
        case .updateFunctionCode: "PUT /2015-03-31/functions/*/code"
        case .updateFunctionConfiguration: "PUT /2015-03-31/functions/*/configuration"
        }
    }

    /// The permission that calling it takes, as refusals name it.
    var action: String { isInvocation ? "lambda:InvokeFunction" : "lambda:\(rawValue)" }

    /// The operation as limits on sizes name it.
    var nameInLimits: String { isInvocation ? "InvokeFunction" : rawValue }

    var isInvocation: Bool { self == .invoke || self == .invokeWithResponseStream }

    var carriesCode: Bool { self == .createFunction || self == .updateFunctionCode }
}

/// Which operation a request is for, and about what.
struct LambdaRoute: Hashable, Sendable {
    let operation: LambdaOperation
    /// The part of the path that names the function or resource, decoded; empty when there is none.
    let resource: String

    private struct Row: Sendable {
        let operation: LambdaOperation
        let method: String
        let segments: [String]
        let query: Substring

        init(_ operation: LambdaOperation) {
            self.operation = operation
            let words = operation.pattern.split(separator: " ")
            let target = RequestTarget(String(words[1]))
            method = String(words[0])
            segments = target.path.split(separator: "/").map(String.init)
            query = target.query
        }
    }

    /// Those that look at the query stand before those that do not.
    private static let table: [Row] = {
        let rows = LambdaOperation.allCases.map { Row($0) }
        return rows.filter { !$0.query.isEmpty } + rows.filter(\.query.isEmpty)
    }()

    /// - Returns: `nil` when the API has no such operation, or this engine does not know it. O(operations).
    init?(_ method: HTTPRequest.Method, _ target: RequestTarget) {
        let segments = target.path.split(separator: "/")
        let row = Self.table.first { row in
            row.segments.count == segments.count && row.method == method.rawValue
                && zip(row.segments, segments).allSatisfy { $0 == "*" || $0 == $1 }
                && (row.query.isEmpty || target.query.split(separator: "&").contains(row.query))
        }
        guard let row else { return nil }
        operation = row.operation
        resource = row.segments.firstIndex(of: "*").map { PercentEncoding.decode(segments[$0]) } ?? ""
    }
}
