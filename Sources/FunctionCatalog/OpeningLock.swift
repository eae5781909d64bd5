import Glibc

/// Lets one process at a time open a catalog, so that two that start together neither make two master keys nor migrate twice.
enum OpeningLock {
    /// How often the lock is tried for, 10 ms apart: 10 s.
    private static let attemptsMax = 1000

    /// Runs `body` with the lock `catalog.lock` of `directory` (flock(2), which ends with the process).
    static func held<Result>(in directory: String, _ body: () throws(CatalogError) -> Result) throws(CatalogError) -> Result {
        let path = directory + "/catalog.lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system(errno, "open \(path)") }
        defer { close(descriptor) }
        try PrivateFile.restrict(path)
        for _ in 0..<attemptsMax {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return try body() }
            guard errno == EWOULDBLOCK || errno == EINTR else { throw .system(errno, "lock \(path)") }
            usleep(10_000)
        }
        throw CatalogError(.storeFailed, "Another process has kept \(path) locked for 10 s. End it or wait, then try again.")
    }
}
