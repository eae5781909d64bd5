#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Small files of certificates and keys, written whole or not at all.
enum CertificateFile {
    /// No certificate or key is near this size; a larger file is not one.
    static let bytesMax = 64 << 10

    /// Writes `text` under a temporary name (O_EXCL), makes it durable and gives it its name.
    /// - Parameter mode: 0600 for private keys.
    /// - Throws: `fileExists` when the name is taken and not to be replaced; `fileFailed`.
    static func store(_ text: String, to path: String, mode: mode_t, replacing: Bool) throws(ForwardingError) {
        let temporary = "\(path).\(UInt32.random(in: .min ... .max)).new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard file >= 0 else { throw failed("create", temporary) }
        defer { unlink(temporary) }
        try fill(file, with: text, named: temporary, mode: mode)
        if replacing {
            guard rename(temporary, path) == 0 else { throw failed("write", path) }
        } else {
            // Unlike rename(2), link(2) never replaces.
            guard link(temporary, path) == 0 else {
                throw errno == EEXIST ? taken(path) : failed("write", path)
            }
        }
    }

    /// Writes all of `text`, makes it durable and closes the file.
    private static func fill(_ file: Int32, with text: String, named path: String, mode: mode_t) throws(ForwardingError) {
        defer { close(file) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            guard written > 0 else { throw failed("write", path) }
            rest = rest.dropFirst(written)
        }
        // The mode given to open(2) is subject to the umask; a certificate is to be readable whatever that is.
        guard fchmod(file, mode) == 0, fsync(file) == 0 else { throw failed("write", path) }
    }

    /// - Throws: `fileFailed` when the file cannot be read or is larger than ``bytesMax``.
    static func load(_ path: String) throws(ForwardingError) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failed("read", path) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = chunk.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
            guard count >= 0 else { throw failed("read", path) }
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
            guard bytes.count <= bytesMax else {
                throw ForwardingError(.fileFailed, "\(path) is larger than \(bytesMax) bytes; it is no certificate or key.")
            }
        }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func makeDirectory(_ path: String) throws(ForwardingError) {
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw failed("make", path) }
    }

    static func taken(_ path: String) -> ForwardingError {
        ForwardingError(.fileExists, "\(path) exists and is kept. Ask for it to be replaced, or choose another directory.")
    }

    private static func failed(_ verb: String, _ path: String) -> ForwardingError {
        ForwardingError(.fileFailed, "Cannot \(verb) \(path): \(String(cString: strerror(errno))).")
    }
}
