public import EngineCore

/// Which invocations are asked for; what is `nil` is not asked about.
public struct RecordFilter: Hashable, Sendable {
    /// A function's name, or its ARN with or without a version. A name means the functions of this name of every account and region.
    public var function: String?
    /// Twelve digits.
    public var account: String?

    public init(function: String? = nil, account: String? = nil) {
        self.function = function
        self.account = account
    }

    public func includes(_ record: InvocationRecord) -> Bool {
        includes(account: record.account, arn: record.functionARN, version: record.version)
    }

    /// - Parameter arn: without a version.
    func includes(account owner: AccountID, arn: String, version: FunctionVersion) -> Bool {
        if let account, owner.description != account { return false }
        guard let function else { return true }
        if function.utf8.contains(UInt8(ascii: ":")) { return function == arn || function == "\(arn):\(version)" }
        return arn.hasSuffix(":function:\(function)")
    }
}
