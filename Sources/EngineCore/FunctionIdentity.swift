/// Which function: the account that owns it, the region its ARN names, and its name.
public struct FunctionKey: Hashable, Sendable, Codable {
    public let account: AccountID
    /// The region of the ARN, taken from the credential scope of the request that made the function.
    public let region: String
    public let name: String

    public init(account: AccountID, region: String, name: String) {
        self.account = account
        self.region = region
        self.name = name
    }

    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`
    public var arn: String { "arn:aws:lambda:\(region):\(account):function:\(name)" }

    /// The ARN with `:qualifier` when one is given.
    public func arn(qualifier: String?) -> String {
        guard let qualifier else { return arn }
        return "\(arn):\(qualifier)"
    }
}

/// `$LATEST`, which changes with every update, or a published version, which never does.
public enum FunctionVersion: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    case latest
    case published(Int)

    /// - Returns: `nil` unless `text` is `$LATEST` or a positive decimal number without sign or leading zero.
    public init?(_ text: some StringProtocol) {
        if text == "$LATEST" {
            self = .latest
        } else if let number = Int(text), number > 0, String(number) == text {
            self = .published(number)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .latest: "$LATEST"
        case .published(let number): "\(number)"
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = FunctionVersion(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a function version: \(text)")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
