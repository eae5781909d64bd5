public import EngineCore

/// What an unpacked package may amount to. Passing a limit refuses the package; nothing of it is kept.
public struct ExtractionLimits: Sendable, Hashable {
    /// Bytes of all files and link targets together, counted as they are unpacked, whatever the archive claims.
    /// Lambda's own limit by default (lambda-api.md §9).
    public var unzippedBytes: ByteCount
    /// Files, folders (also those only implied by a longer name) and links together: each costs an inode.
    public var entries: Int
    /// UTF-8 bytes of one name, folders included. A component is limited to 255 by the file system.
    public var nameBytes: Int
    /// Components of one name.
    public var depth: Int

    public init(
        unzippedBytes: ByteCount = ByteCount(262_144_000), entries: Int = 100_000, nameBytes: Int = 1024,
        depth: Int = 64
    ) {
        self.unzippedBytes = unzippedBytes
        self.entries = entries
        self.nameBytes = nameBytes
        self.depth = depth
    }
}
