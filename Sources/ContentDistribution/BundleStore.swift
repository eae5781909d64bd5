import Crypto
public import EngineCore
import Synchronization
public import SystemPackage

/// The packages of functions and what they unpack to, as files named after the SHA-256 of the package.
///
/// ```
/// <content directory>/
///   sha256/ab/<64 digits>.zip   the package as uploaded; its presence says that both are complete
///   bundles/ab/<64 digits>/     unpacked, world-readable: what a container sees as /var/task
///   tmp/                        work in progress; swept when a store opens
/// ```
///
/// Everything is written under `tmp`, made durable, and renamed: the bundle first, then the package. So a crash at any
/// instant leaves at most a bundle without package or something under `tmp`, and opening the store removes both.
///
/// One process at a time owns a content directory. Any number of threads may use the store, also for the same digest.
/// All calls block on the file system and the processor: run them off the event loops.
public final class BundleStore: Sendable {
    /// What the paths of ``relativeBundlePath(_:)`` are relative to.
    public let contentDirectory: FilePath
    public let extractor: ZipExtractor

    /// Held while names appear or vanish, so that adding and removing the same digest do not mix. Free while unpacking.
    private let publishing = Mutex(())

    /// Opens the store, making its folders and sweeping what a crash left. O(bundles held).
    /// - Parameter contentDirectory: its parent must exist.
    public init(contentDirectory: FilePath, limits: ExtractionLimits = ExtractionLimits()) throws(ContentError) {
        self.contentDirectory = contentDirectory
        extractor = ZipExtractor(limits: limits)
        try FileSystem.makeDirectory(contentDirectory, 0o755, existing: true)
        try FileSystem.makeDirectory(packages, 0o700, existing: true)
        try FileSystem.makeDirectory(bundles, 0o755, existing: true)
        try FileSystem.makeDirectory(temporary, 0o700, existing: true)
        try sweep()
    }

    /// Where the bundle lies in ``contentDirectory``, whether or not it is there: `bundles/ab/<64 digits>`.
    public func relativeBundlePath(_ digest: ContentDigest) -> String {
        "bundles/\(digest.hex.prefix(2))/\(digest.hex)"
    }

    /// Where the package lies, for sending it without reading it into memory, whether or not it is there.
    public func packagePath(_ digest: ContentDigest) -> FilePath {
        packages.appending(String(digest.hex.prefix(2))).appending("\(digest.hex).zip")
    }

    /// Whether package and bundle are there. O(1); contents are not verified again.
    public func contains(_ digest: ContentDigest) -> Bool {
        FileSystem.exists(packagePath(digest)) && FileSystem.exists(bundlePath(digest))
    }

    /// Unpacks and keeps a package. When it returns, both are durable. Adding what is there changes nothing.
    /// - Parameter expected: the digest the bytes must have, when they come from a peer or cache.
    /// - Returns: the SHA-256 of `zip`.
    /// - Throws: ``ContentError`` when the package is refused or cannot be stored; nothing of it is kept.
    @discardableResult
    public func add(_ zip: [UInt8], expecting expected: ContentDigest? = nil) throws(ContentError) -> ContentDigest {
        let digest = Self.digest(of: zip)
        if let expected, expected != digest { throw Self.mismatch(expected, found: digest) }
        guard !contains(digest) else { return digest }

        let name = "\(digest.hex).\(UInt64.random(in: .min ... .max))"
        let bundle = temporary.appending("\(name).bundle")
        let package = temporary.appending("\(name).zip")
        defer {
            // Gone already when all went well; what cannot be removed is swept when the store opens next.
            try? FileSystem.removeTree(bundle)
            try? FileSystem.removeTree(package)
        }
        try extractor.extract(zip, to: bundle)
        try writePackage(zip, to: package)
        let written = Self.digest(of: try read(package))
        guard written == digest else { throw Self.mismatch(digest, found: written) }
        try FileSystem.syncFileSystem(of: temporary)
        try publish(digest, package: package, bundle: bundle)
        return digest
    }

    /// The package as it was added, verified.
    /// - Throws: `notFound`; `digestMismatch` when the file has been damaged since.
    public func package(_ digest: ContentDigest) throws(ContentError) -> [UInt8] {
        guard FileSystem.exists(packagePath(digest)) else {
            throw ContentError(
                .notFound, "There is no package \(digest) here. Fetch it from a peer or upload it again.")
        }
        let bytes = try read(packagePath(digest))
        let found = Self.digest(of: bytes)
        guard found == digest else { throw Self.mismatch(digest, found: found) }
        return bytes
    }

    /// Unpacks the package that is here again, should its bundle be gone.
    /// - Throws: `notFound`; `digestMismatch` when the file has been damaged since; what ``add(_:expecting:)`` throws.
    public func restore(_ digest: ContentDigest) throws(ContentError) {
        guard !contains(digest) else { return }
        try add(try package(digest), expecting: digest)
    }

    /// Removes package and bundle. Removing what is not there is a success. The caller knows that nothing runs from it.
    ///
    /// The package goes first, so that a crash in between leaves what opening the store sweeps.
    public func remove(_ digest: ContentDigest) throws(ContentError) {
        let doomed = temporary.appending("\(digest.hex).\(UInt64.random(in: .min ... .max)).removed")
        try publishing.withLock { (_) throws(ContentError) in
            if FileSystem.exists(packagePath(digest)) {
                try FileSystem.removeTree(packagePath(digest))
                try FileSystem.syncDirectory(packagePath(digest).removingLastComponent())
            }
            if FileSystem.exists(bundlePath(digest)) { try FileSystem.rename(bundlePath(digest), to: doomed) }
        }
        try FileSystem.removeTree(doomed)
    }

    // MARK: -

    private var packages: FilePath { contentDirectory.appending("sha256") }
    private var bundles: FilePath { contentDirectory.appending("bundles") }
    private var temporary: FilePath { contentDirectory.appending("tmp") }

    private func bundlePath(_ digest: ContentDigest) -> FilePath {
        contentDirectory.pushing(FilePath(relativeBundlePath(digest)))
    }

    /// Renames both into place, unless somebody else has meanwhile.
    private func publish(_ digest: ContentDigest, package: FilePath, bundle: FilePath) throws(ContentError) {
        let packageFolder = packagePath(digest).removingLastComponent()
        let bundleFolder = bundlePath(digest).removingLastComponent()
        try publishing.withLock { (_) throws(ContentError) in
            try FileSystem.makeDirectory(bundleFolder, 0o755, existing: true)
            try FileSystem.makeDirectory(packageFolder, 0o700, existing: true)
            if !FileSystem.exists(bundlePath(digest)) { try FileSystem.rename(bundle, to: bundlePath(digest)) }
            try FileSystem.syncDirectory(bundleFolder)
            try FileSystem.syncDirectory(bundles)
            try FileSystem.rename(package, to: packagePath(digest))
            try FileSystem.syncDirectory(packageFolder)
            try FileSystem.syncDirectory(packages)
        }
    }

    private func writePackage(_ zip: [UInt8], to path: FilePath) throws(ContentError) {
        let file = try NewFile(path)
        try zip.withUnsafeBufferPointer { (bytes) throws(ContentError) in try file.write(UnsafeRawBufferPointer(bytes))
        }
        try file.sync()
    }

    private func read(_ path: FilePath) throws(ContentError) -> [UInt8] {
        try FileSystem.attempt("read \(path)") {
            let descriptor = try FileDescriptor.open(path, .readOnly, options: [.noFollow, .closeOnExec])
            return try descriptor.closeAfter {
                let size = Int(try descriptor.seek(offset: 0, from: .end))
                return try [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                    while count < size {
                        let rest = UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[count...]))
                        let got = try descriptor.read(fromAbsoluteOffset: Int64(count), into: rest)
                        if got == 0 { break }
                        count += got
                    }
                }
            }
        }
    }

    private func sweep() throws(ContentError) {
        for name in try FileSystem.names(in: temporary) { try FileSystem.removeTree(temporary.appending(name)) }
        for prefix in try FileSystem.names(in: bundles) {
            for name in try FileSystem.names(in: bundles.appending(prefix)) {
                let digest = ContentDigest(hex: name.string)
                if let digest, FileSystem.exists(packagePath(digest)) { continue }
                try FileSystem.removeTree(bundles.appending(prefix).appending(name))
            }
        }
    }

    /// The SHA-256 that names a package. O(bytes).
    public static func digest(of bytes: [UInt8]) -> ContentDigest {
        guard let digest = ContentDigest(bytes: SHA256.hash(data: bytes)) else {
            preconditionFailure("A SHA-256 has 32 bytes.")
        }
        return digest
    }

    private static func mismatch(_ expected: ContentDigest, found: ContentDigest) -> ContentError {
        ContentError(
            .digestMismatch,
            "The package should have digest \(expected) but has \(found). Fetch it from elsewhere or upload it again."
        )
    }
}
