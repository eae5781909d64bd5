internal import Crypto
public import EngineCore

/// A row of the table of routing values, as the engine has it.
public struct StickyEntry: Sendable {
    public var function: FunctionKey
    public var version: FunctionVersion
    public var value: String
    public var container: UInt64
    /// `starting`, `idle` or `busy`, as the container is.
    public var state: String
    public var ageSeconds: Double
    public var idleSeconds: Double
    /// Calls that the row has led to the container.
    public var uses: Int

    public init(
        function: FunctionKey, version: FunctionVersion, value: String, container: UInt64, state: String, ageSeconds: Double,
        idleSeconds: Double, uses: Int
    ) {
        self.function = function
        self.version = version
        self.value = value
        self.container = container
        self.state = state
        self.ageSeconds = ageSeconds
        self.idleSeconds = idleSeconds
        self.uses = uses
    }

    /// Names the row in paths and on command lines, where the value itself may be anything: 16 digits of the SHA-256 of what the row is
    /// the only one of. The same after a restart.
    var id: String {
        let digest = SHA256.hash(data: Array("\(function.arn)\n\(version)\n\(value)".utf8))
        return digest.prefix(8).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}

/// A row of the table of routing values, as it is shown (STICK-06).
public struct StickyRow: Sendable, Codable {
    /// 16 hexadecimal digits.
    public var id: String
    public var account: AccountID
    /// The ARN without a version.
    public var function: String
    public var version: FunctionVersion
    public var value: String
    public var container: UInt64
    public var state: String
    public var ageSeconds: Double
    public var idleSeconds: Double
    public var uses: Int

    init(_ entry: StickyEntry) {
        id = entry.id
        account = entry.function.account
        function = entry.function.arn
        version = entry.version
        value = entry.value
        container = entry.container
        state = entry.state
        ageSeconds = entry.ageSeconds
        idleSeconds = entry.idleSeconds
        uses = entry.uses
    }
}

/// What `GET /v1/sticky` answers.
public struct StickyAnswer: Sendable, Codable {
    /// The last used first; at most as many as were asked for.
    public var rows: [StickyRow]
    /// All rows that the filter includes.
    public var total: Int
}
