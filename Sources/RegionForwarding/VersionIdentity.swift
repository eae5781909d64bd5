public import EngineCore

/// Which version of which function, without its settings.
public struct VersionIdentity: Hashable, Sendable {
    public var function: FunctionKey
    public var version: FunctionVersion
    /// New at every change; it alone tells versions apart.
    public var revision: String

    public init(function: FunctionKey, version: FunctionVersion, revision: String) {
        self.function = function
        self.version = version
        self.revision = revision
    }

    public init(_ version: PinnedVersion) {
        self.init(function: version.key, version: version.version, revision: version.revision)
    }
}
