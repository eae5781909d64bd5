import EngineCore
public import SystemPackage

/// Unpacks the zip of a function that nobody has reason to trust.
///
/// Nothing is written outside the given folder, and a refused package leaves nothing behind. Sizes are counted while
/// unpacking, so an archive that lies about them gains nothing. Owners, times and extended attributes are dropped.
///
/// All calls block on the file system and the processor: run them off the event loops.
public struct ZipExtractor: Sendable {
    public let limits: ExtractionLimits

    public init(limits: ExtractionLimits = ExtractionLimits()) { self.limits = limits }

    /// Unpacks `zip` to `directory`, which must not exist yet and is made: folders and executable files get mode 0755,
    /// other files 0644, so set-user-id, set-group-id and sticky bits are gone. Nothing is synchronised to disk.
    /// - Parameter directory: its parent must exist, and nobody else may write there meanwhile.
    /// - Throws: ``ContentError`` when the package is refused or cannot be written; `directory` is then gone again.
    public func extract(_ zip: [UInt8], to directory: FilePath) throws(ContentError) {
        try FileSystem.makeDirectory(directory, 0o755)
        do throws(ContentError) {
            try zip.withUnsafeBufferPointer { (bytes) throws(ContentError) in try unpack(bytes, to: directory) }
        } catch {
            // The refusal is what the caller must hear of. What cannot be removed here, the store sweeps when it opens.
            try? FileSystem.removeTree(directory)
            throw error
        }
    }

    private func unpack(_ bytes: UnsafeBufferPointer<UInt8>, to directory: FilePath) throws(ContentError) {
        var reader = try ZipReader(bytes)
        var layout = BundleLayout(limits: limits)
        var room = limits.unzippedBytes.bytes
        var links: [(name: FilePath, target: FilePath)] = []

        while let entry = try reader.next() {
            switch entry.kind {
            case .folder:
                try make(try layout.addFolder(entry.name), in: directory)
            case .link(let target):
                let (name, folders) = try layout.addLeaf(entry.name)
                try layout.checkLink(name, target: target)
                try spend(target.length, of: &room)
                try make(folders, in: directory)
                links.append((name, target))
            case .file(let isExecutable):
                let (name, folders) = try layout.addLeaf(entry.name)
                try make(folders, in: directory)
                try write(&reader, to: directory.pushing(name), isExecutable: isExecutable, room: &room)
            }
        }
        guard layout.hasLeaf else { throw .emptyPackage }
        // Last, so that while files are written there is no link to write through.
        for link in links { try FileSystem.makeSymbolicLink(directory.pushing(link.name), to: link.target) }
    }

    private func make(_ folders: [FilePath], in directory: FilePath) throws(ContentError) {
        for folder in folders { try FileSystem.makeDirectory(directory.pushing(folder), 0o755) }
    }

    private func write(
        _ reader: inout ZipReader, to path: FilePath, isExecutable: Bool, room: inout Int
    ) throws(ContentError) {
        let file = try NewFile(path)
        try reader.forEachPiece { (piece) throws(ContentError) in
            try spend(piece.count, of: &room)
            try file.write(piece)
        }
        try file.setPermissions(isExecutable ? 0o755 : 0o644)
    }

    private func spend(_ count: Int, of room: inout Int) throws(ContentError) {
        room -= count
        guard room >= 0 else {
            throw ContentError(.tooLarge, "Unzipped size must be smaller than \(limits.unzippedBytes.bytes) bytes")
        }
    }
}
