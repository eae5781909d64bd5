import Crypto
import EngineCore
import Foundation

/// Tokens that name a container, for callers who want the very one that served them (STICK-10).
///
/// ```
/// token     = base64(nonce, 12 bytes · sealed content · tag, 16 bytes)     AES-256-GCM (NIST SP 800-38D)
/// content   = 1 · container (8 bytes) · launcher generation (8) · good until, seconds since 1970 (8) · node name
/// bound to  = ARN of the function with its version, and with it the account
/// ```
///
/// Sealed rather than signed, so that callers learn nothing of the node and rely on nothing in it. Opening is bound to the function's
/// version: with the token of another account, function or version, it fails as with a forged one. The nonce is made from content and
/// binding (HMAC-SHA-256 under a key of its own), so that equal ones give equal tokens and different ones meet in a nonce no
/// sooner than 2⁴⁸ tokens; random nonces would wear the key out at 2³². Both keys come from the key file by HKDF (RFC 5869). The
/// frontends of a site share the file, and so each other's tokens.
public struct AffinityTokens: Sendable {
    /// What a token names.
    struct Named: Hashable, Sendable {
        let container: UInt64
        let generation: UInt64
        let node: String
    }

    private static let version: UInt8 = 1
    private static let fixedBytes = 25

    private let sealKey: SymmetricKey
    private let nonceKey: SymmetricKey
    private let node: String
    private let generation: @Sendable () -> UInt64
    private let lifetimeSeconds: Int

    /// - Parameters:
    ///   - key: what ``AffinityKeyFile`` has.
    ///   - node: this node's name.
    ///   - generation: of the launcher that runs now; it changes when container numbers begin anew.
    ///   - lifetimeSeconds: how long a token is good.
    public init(key: [UInt8], node: String, generation: @escaping @Sendable () -> UInt64, lifetimeSeconds: Int = 3600) {
        let input = SymmetricKey(data: key)
        sealKey = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: input, info: Data("wayside container token 1 seal".utf8), outputByteCount: 32)
        nonceKey = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: input, info: Data("wayside container token 1 nonce".utf8), outputByteCount: 32)
        self.node = node
        self.generation = generation
        self.lifetimeSeconds = lifetimeSeconds
    }

    /// The token of the container that ran a call; `nil` if the record does not name one of a known launcher.
    func token(of record: InvocationRecord, function: PinnedVersion, now: Double) -> String? {
        let capacity = record.capacity ?? record.remote?.capacity
        let site = record.site ?? record.node
        guard let container = capacity?.container, let generation = capacity?.generation ?? (site == node ? generation() : nil) else {
            return nil
        }
        return seal(Named(container: container, generation: generation, node: site), for: function, now: now)
    }

    func seal(_ named: Named, for function: PinnedVersion, now: Double) -> String? {
        // Rounded up to a minute, so that the answers of one container carry few different tokens.
        let end = (Int64(now) + Int64(lifetimeSeconds) + 59) / 60 * 60
        var content = Data([Self.version])
        for number in [named.container, named.generation, UInt64(clamping: end)] {
            withUnsafeBytes(of: number.bigEndian) { content.append(contentsOf: $0) }
        }
        content.append(contentsOf: named.node.utf8)
        let binding = Self.binding(function)
        var hmac = HMAC<SHA256>(key: nonceKey)
        hmac.update(data: content)
        hmac.update(data: binding)
        guard let nonce = try? AES.GCM.Nonce(data: Data(hmac.finalize()).prefix(12)),
            let sealed = try? AES.GCM.seal(content, using: sealKey, nonce: nonce, authenticating: binding).combined
        else { return nil }
        return Base64.encode(sealed)
    }

    /// - Returns: `nil` for a token that is forged, damaged, of another function or version, or no longer good.
    func open(_ token: String, for function: PinnedVersion, now: Double) -> Named? {
        guard let bytes = Data(base64Encoded: token), let box = try? AES.GCM.SealedBox(combined: bytes),
            let content = try? AES.GCM.open(box, using: sealKey, authenticating: Self.binding(function)),
            content.count > Self.fixedBytes, content.first == Self.version
        else { return nil }
        let numbers = (0..<3).map { index in
            content.dropFirst(1 + 8 * index).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        guard Double(numbers[2]) > now, let node = String(bytes: content.dropFirst(Self.fixedBytes), encoding: .utf8) else { return nil }
        return Named(container: numbers[0], generation: numbers[1], node: node)
    }

    private static func binding(_ function: PinnedVersion) -> Data {
        Data(function.key.arn(qualifier: function.version.description).utf8)
    }
}
