import Glibc
import SystemPackage

/// A file that did not exist before and is open for writing until the value goes away.
struct NewFile: ~Copyable {
    private let path: FilePath
    private let descriptor: FileDescriptor

    /// Fails when anything has the name already, a dangling link included.
    init(_ path: FilePath) throws(ContentError) {
        self.path = path
        descriptor = try FileSystem.attempt("make the file \(path)") {
            try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
                permissions: .ownerReadWrite)
        }
    }

    deinit {
        // close(2) releases the descriptor even when it reports an error; errors that matter come from sync().
        _ = Glibc.close(descriptor.rawValue)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ContentError) {
        _ = try FileSystem.attempt("write \(path)") { try descriptor.writeAll(bytes) }
    }

    /// Sets exactly these permissions, whatever the umask.
    func setPermissions(_ permissions: mode_t) throws(ContentError) {
        try FileSystem.attempt("set the permissions of \(path)") {
            guard fchmod(descriptor.rawValue, permissions) == 0 else { throw Errno(rawValue: errno) }
        }
    }

    func sync() throws(ContentError) {
        try FileSystem.attempt("make \(path) durable") {
            guard fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
        }
    }
}
