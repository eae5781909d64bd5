internal import Foundation
internal import Glibc
internal import SystemPackage

/// The node's data folder, held by a lock so that two programs never share one.
///
/// ```
/// <data>/            0700, or as it was made
///   catalog.sqlite master.key   functions, accounts
///   content/         bundles and packages
///   run/             the launcher's socket and state, made anew at each start
///   operator.sock    0600
///   lock
/// ```
struct DataFolder {
    /// Room for `/run/launcher.sock` in the 107 bytes of a socket's address (unix(7)).
    static let pathBytesMax = 85

    let path: FilePath
    private let lock: FileDescriptor

    var content: FilePath { Self.content(path) }

    static func content(_ data: FilePath) -> FilePath { data.appending("content") }
    static func run(_ data: FilePath) -> FilePath { data.appending("run") }
    static func state(_ data: FilePath) -> FilePath { run(data).appending("state") }

    /// Makes the folder if it is absent; its parent must exist.
    init(path: FilePath) throws(ConfigurationError) {
        guard path.string.utf8.count <= Self.pathBytesMax else {
            throw ConfigurationError("node.data is longer than \(Self.pathBytesMax) bytes, too long for sockets in it; give a shorter path")
        }
        self.path = path
        try Self.make(path, 0o700)
        do {
            lock = try FileDescriptor.open(
                path.appending("lock"), .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite])
        } catch {
            throw ConfigurationError("\(path)/lock cannot be opened (\(error)); check node.data and its permissions")
        }
        guard flock(lock.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            throw ConfigurationError("another node uses \(path); give each node its own node.data")
        }
        Self.sweep(path)
        try Self.make(content, 0o711)
        try Self.make(Self.run(path), 0o700)
        try Self.make(Self.state(path), 0o700)
    }

    /// Makes the folder for a node of another user; what is in it already keeps its owner.
    static func prepare(_ path: FilePath, owner: UInt32) throws(ConfigurationError) {
        try make(path, 0o700)
        try make(content(path), 0o711)
        for folder in [path, content(path)] {
            guard chown(folder.string, owner, owner) == 0 else {
                throw ConfigurationError("\(folder) cannot be given to user \(owner) (\(Errno(rawValue: errno))); run this as root")
            }
        }
    }

    /// Removes what a crash left while the operator's socket was being made: folders `.op…` with at most a socket in them.
    private static func sweep(_ path: FilePath) {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path.string) else { return }
        for name in names where name.hasPrefix(".op") {
            // What cannot be removed does no harm, and is tried again at the next start.
            try? FileManager.default.removeItem(atPath: path.appending(name).string)
        }
    }

    /// Lets go of the lock, once; the kernel does the same when the process ends.
    func close() { try? lock.close() }

    private static func make(_ path: FilePath, _ permissions: mode_t) throws(ConfigurationError) {
        guard mkdir(path.string, permissions) != 0 else { return }
        let error = Errno(rawValue: errno)
        guard error == .fileExists else {
            throw ConfigurationError("\(path) cannot be made (\(error)); check node.data and its permissions")
        }
    }
}
