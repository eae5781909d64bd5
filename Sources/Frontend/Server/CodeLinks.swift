import Crypto
import EngineCore
import HTTPTypes

/// Links to packages that nobody can guess and that are good for a while: the digest and the last second they are good for, under
/// a key that this process made and nobody else knows.
struct CodeLinks: Sendable {
    /// What a link says: `/code/DIGEST/SECOND/MAC`.
    struct Link: Hashable, Sendable {
        let digest: ContentDigest
        /// Seconds since 1970.
        let expiry: Int64
        let isAuthentic: Bool
    }

    private let key = SymmetricKey(size: .bits256)

    func path(_ digest: ContentDigest, expiry: Int64) -> String { "/code/\(digest.hex)/\(expiry)/\(code(digest, expiry))" }

    /// - Returns: `nil` if the request is for no link at all.
    func link(_ method: HTTPRequest.Method, _ target: RequestTarget) -> Link? {
        guard method == .get, target.path.utf8.starts(with: "/code/".utf8) else { return nil }
        let parts = target.path.split(separator: "/")
        guard parts.count == 4, let digest = ContentDigest(hex: parts[1]), let expiry = Int64(parts[2]) else { return nil }
        let isAuthentic = isEqualInConstantTime(Array(code(digest, expiry).utf8), parts[3].utf8)
        return Link(digest: digest, expiry: expiry, isAuthentic: isAuthentic)
    }

    private func code(_ digest: ContentDigest, _ expiry: Int64) -> String {
        var text: [UInt8] = []
        appendHexadecimal(HMAC<SHA256>.authenticationCode(for: Array("\(digest.hex)\n\(expiry)".utf8), using: key), to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
