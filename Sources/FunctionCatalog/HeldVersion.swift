public import EngineCore

/// A version that another node has sent, without its settings.
public struct HeldVersion: Hashable, Sendable {
    public let key: FunctionKey
    public let version: FunctionVersion
    public let revision: String
    public let codeDigest: ContentDigest
}
