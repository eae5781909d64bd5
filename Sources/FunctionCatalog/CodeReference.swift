public import EngineCore

/// The deployment package of a version: its name in the content store and its size there.
public struct CodeReference: Hashable, Sendable {
    /// SHA-256 of the zip.
    public let digest: ContentDigest
    /// Size of the zip.
    public let size: ByteCount

    public init(digest: ContentDigest, size: ByteCount) {
        self.digest = digest
        self.size = size
    }
}
