#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif
import NIOCore
import Synchronization

/// A Unix socket that only its owner may open, and at no moment anybody else.
///
/// The permissions of a new socket come from the umask, which is the whole process's. So the socket is bound in a new folder that
/// nobody else may enter, gets its permissions there, and is then moved to its place.
final class OwnersSocket: Sendable {
    /// Where to bind; not longer than the path of an `operator.sock` in the same folder, since the names of sockets are short.
    let bindingPath: String
    private let folder: String
    private let path: String
    private let failure = Mutex<IOError?>(nil)

    /// - Parameter path: where the socket will be; what is there is replaced.
    /// - Throws: when the folder of `path` cannot be written.
    init(path: String) throws(IOError) {
        let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let digits = String(UInt32.random(in: 0 ... .max), radix: 16)
        folder = "\(parent).op\(digits)"
        bindingPath = "\(folder)/s"
        self.path = path
        try Self.check(mkdir(folder, 0o700), "make the folder \(folder) for the operator's socket")
    }

    /// Moves the socket that has been bound to its place. - Returns: whether it is there; else ``finish()`` says why not.
    func publish() -> Bool {
        do throws(IOError) {
            try Self.check(chmod(bindingPath, 0o600), "set the permissions of the operator's socket")
            try Self.check(rename(bindingPath, path), "move the operator's socket to \(path)")
            return true
        } catch {
            failure.withLock { $0 = error }
            return false
        }
    }

    /// Removes what publishing needed.
    func clear() {
        // Neither is there any more when all went well.
        unlink(bindingPath)
        rmdir(folder)
    }

    /// - Throws: why ``publish()`` failed, if it did.
    func finish() throws(IOError) {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    private static func check(_ status: Int32, _ what: String) throws(IOError) {
        guard status == 0 else { throw IOError(errnoCode: errno, reason: "Could not \(what)") }
    }
}
