public import EngineCore

/// Within what a routing value means anything: one version of one account's function (STICK-17).
public struct AffinityScope: Hashable, Sendable, Codable {
    public let function: FunctionKey
    public let version: FunctionVersion

    public init(function: FunctionKey, version: FunctionVersion) {
        self.function = function
        self.version = version
    }

    public init(_ version: PinnedVersion) { self.init(function: version.key, version: version.version) }
}

/// What a row of the sticky table is found by.
public struct AffinityKey: Hashable, Sendable, Codable {
    public let scope: AffinityScope
    /// At most `AffinityDemand.valueBytesMax` bytes of UTF-8.
    public let value: String

    public init(_ scope: AffinityScope, _ value: String) {
        self.scope = scope
        self.value = value
    }
}
