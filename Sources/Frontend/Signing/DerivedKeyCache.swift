import Crypto
import Synchronization

/// Signing keys that have verified a signature, by credential: deriving one costs four HMACs.
///
/// Bounded in two generations: entries go into the young one; when it is full it becomes the old one and the old one is
/// forgotten; what is used moves back into the young one. So what is in use stays, and a flood of credentials costs no more
/// than deriving again. All operations are O(1).
final class DerivedKeyCache: Sendable {
    struct Entry: Sendable {
        let scope: CredentialScope
        /// The secret the key was derived from; a key with another secret is not this one.
        let secret: String
        /// An authentication code begun with the signing key: the half of its cost that is the same for every request.
        let key: HMAC<SHA256>
    }

    private struct Generations {
        var young: [String: Entry] = [:]
        var old: [String: Entry] = [:]
    }

    private let generations = Mutex(Generations())
    private let capacity: Int

    /// - Parameter capacity: entries kept at most, at least 2.
    init(capacity: Int) { self.capacity = max(2, capacity) }

    func entry(_ credential: String) -> Entry? {
        generations.withLock { generations in
            if let entry = generations.young[credential] { return entry }
            guard let entry = generations.old.removeValue(forKey: credential) else { return nil }
            insert(entry, credential, into: &generations)
            return entry
        }
    }

    func insert(_ entry: Entry, for credential: String) {
        generations.withLock { insert(entry, credential, into: &$0) }
    }

    var count: Int { generations.withLock { $0.young.count + $0.old.count } }

    private func insert(_ entry: Entry, _ credential: String, into generations: inout Generations) {
        if generations.young.count >= capacity / 2 {
            generations.old = generations.young
            generations.young = [:]
        }
        generations.young[credential] = entry
    }
}
