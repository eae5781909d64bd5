/// A part of a node's capacity with a rule of its own about who may take from it.
///
/// Written `kind/…`, as the operator's tools show and take it: `general/python`, `dedicated/000000000001/us-east-1/hello:3`,
/// `fixed/gold`, `variable/spot`.
public enum SubPoolID: Hashable, Sendable, Codable, CustomStringConvertible {
    /// Booted instances of one runtime, whose spare container is reckoned for functions of up to `sizeClass` MiB; for any account.
    case general(runtime: String, sizeClass: Int)
    /// Containers that hold one account's function, initialised before they are asked for.
    case dedicated(FunctionKey, FunctionVersion)
    /// Memory that is set aside for the accounts that may use it, whoever else is short.
    case fixed(String)
    /// Memory whose amount and price another party changes, and may take back.
    case variable(String)

    public var kind: Kind {
        switch self {
        case .general: .general
        case .dedicated: .dedicated
        case .fixed: .fixed
        case .variable: .variable
        }
    }

    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case general, dedicated, fixed, variable
    }

    public var description: String {
        switch self {
        case .general(let runtime, let sizeClass): "general/\(runtime)/\(sizeClass)"
        case .dedicated(let key, let version): "dedicated/\(key.account)/\(key.region)/\(key.name):\(version)"
        case .fixed(let name): "fixed/\(name)"
        case .variable(let name): "variable/\(name)"
        }
    }

    /// - Returns: `nil` unless `text` is what ``description`` writes.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let kind = parts.first.flatMap({ Kind(rawValue: String($0)) }), parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        switch (kind, parts.count) {
        case (.general, 3):
            guard let sizeClass = Int(parts[2]), sizeClass > 0, String(sizeClass) == parts[2] else { return nil }
            self = .general(runtime: String(parts[1]), sizeClass: sizeClass)
        case (.dedicated, 4):
            let name = parts[3].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard name.count == 2, !name[0].isEmpty, let account = AccountID(parts[1]), let version = FunctionVersion(name[1]) else {
                return nil
            }
            self = .dedicated(FunctionKey(account: account, region: String(parts[2]), name: String(name[0])), version)
        case (.fixed, 2): self = .fixed(String(parts[1]))
        case (.variable, 2): self = .variable(String(parts[1]))
        default: return nil
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = SubPoolID(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a sub-pool: \(text)")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
