import CArchive
import Glibc
import SystemPackage

/// The calls the store needs beyond what `SystemPackage` offers, and the place where `Errno` becomes `ContentError`.
enum FileSystem {
    /// Runs `body`; what it throws becomes a ``ContentError`` that says `action` could not be done.
    static func attempt<Result>(
        _ action: @autoclosure () -> String, _ body: () throws -> Result
    ) throws(ContentError) -> Result {
        do {
            return try body()
        } catch let error as ContentError {
            throw error
        } catch let errno as Errno {
            throw .system(errno, action())
        } catch {
            throw ContentError(.storageFailed, "Could not \(action()): \(error).", cause: error)
        }
    }

    /// Makes a folder of exactly these permissions, whatever the umask.
    /// - Parameter existing: whether a folder that is there already will do.
    static func makeDirectory(_ path: FilePath, _ permissions: mode_t, existing: Bool = false) throws(ContentError) {
        try attempt("make the folder \(path)") {
            if path.withPlatformString({ mkdir($0, permissions) }) != 0 {
                let error = Errno(rawValue: errno)
                guard existing, error == .fileExists else { throw error }
            }
            try check(path.withPlatformString { chmod($0, permissions) })
        }
    }

    static func makeSymbolicLink(_ path: FilePath, to target: FilePath) throws(ContentError) {
        try attempt("make the link \(path)") {
            try check(target.withPlatformString { target in path.withPlatformString { symlink(target, $0) } })
        }
    }

    /// rename(2): atomic, replaces a file, does not replace a folder that has contents.
    static func rename(_ source: FilePath, to destination: FilePath) throws(ContentError) {
        try attempt("rename \(source) to \(destination)") {
            try check(
                source.withPlatformString { source in destination.withPlatformString { Glibc.rename(source, $0) } })
        }
    }

    /// Whether something is there, links not followed. What cannot be looked at counts as absent.
    static func exists(_ path: FilePath) -> Bool {
        var status = stat()
        return path.withPlatformString { lstat($0, &status) } == 0
    }

    /// Makes the folder's names durable: fsync(2) of the folder.
    static func syncDirectory(_ path: FilePath) throws(ContentError) {
        try withDirectory(path) { try check(fsync($0.rawValue)) }
    }

    /// Makes everything written to the file system of `path` durable: one syncfs(2) instead of thousands of fsync(2).
    static func syncFileSystem(of path: FilePath) throws(ContentError) {
        try withDirectory(path) { try check(syncfs($0.rawValue)) }
    }

    /// The names in a folder, in no order, without `.` and `..`.
    static func names(in directory: FilePath) throws(ContentError) -> [FilePath.Component] {
        try attempt("list the folder \(directory)") {
            guard let stream = directory.withPlatformString({ opendir($0) }) else { throw Errno(rawValue: errno) }
            defer { closedir(stream) }
            var names: [FilePath.Component] = []
            while true {
                errno = 0
                guard let entry = readdir(stream) else {
                    guard errno == 0 else { throw Errno(rawValue: errno) }
                    return names
                }
                // SAFETY: readdir(3) ends d_name with a NUL inside the entry, which is valid until the next call.
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    UnsafeRawPointer($0).withMemoryRebound(to: CChar.self, capacity: 256) {
                        FilePath(platformString: $0)
                    }
                }
                if let component = name.lastComponent, component.kind == .regular { names.append(component) }
            }
        }
    }

    /// Removes a file, a link (not what it points to), or a folder and all in it. Nothing there is a success.
    static func removeTree(_ path: FilePath) throws(ContentError) {
        if path.withPlatformString({ unlink($0) }) == 0 { return }
        switch Errno(rawValue: errno) {
        case .noSuchFileOrDirectory:
            return
        case .isDirectory:
            for name in try names(in: path) { try removeTree(path.appending(name)) }
            try attempt("remove the folder \(path)") { try check(path.withPlatformString { rmdir($0) }) }
        case let error:
            throw .system(error, "remove \(path)")
        }
    }

    private static func withDirectory(_ path: FilePath, _ body: (FileDescriptor) throws -> Void) throws(ContentError) {
        try attempt("make \(path) durable") {
            let descriptor = try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
            try descriptor.closeAfter { try body(descriptor) }
        }
    }

    private static func check(_ result: CInt) throws(Errno) {
        guard result == 0 else { throw Errno(rawValue: errno) }
    }
}
