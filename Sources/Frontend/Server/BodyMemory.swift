public import EngineCore
import Synchronization

/// The memory of the bodies of requests, clients' and other nodes' together, each from its first byte until the request is answered.
///
/// One body is bounded, and so are connections and streams, but not their product. What finds no room here is refused at once with
/// `overloaded`, and nothing has been done for it.
public final class BodyMemory: Sendable {
    private struct Held {
        var byClients = 0
        var byNodes = 0
        var total: Int { byClients + byNodes }
        var byAccount: [AccountID: Int] = [:]
    }

    public let bytesMax: ByteCount
    private let held = Mutex(Held())

    public init(bytesMax: ByteCount = ByteCount(512 << 20)) { self.bytesMax = bytesMax }

    /// What clients' requests that claim to be of one account may hold: half. A claim is believed until the body is there and its signature
    /// can be checked, so who knows the identifiers of several access keys can keep other clients' bodies out, but no node's.
    public var bytesPerAccountMax: ByteCount { ByteCount(bytesMax.bytes / 2) }

    /// What all clients may hold, and what all nodes: three quarters each, so that neither keeps the other out.
    private var bytesPerKindMax: Int { bytesMax.bytes / 4 * 3 }

    /// What is held now.
    public var bytesHeld: ByteCount { ByteCount(held.withLock { $0.total }) }

    /// - Returns: whether there was room; nothing is counted otherwise.
    fileprivate func add(_ bytes: Int, of account: AccountID?) -> Bool {
        held.withLock { held in
            guard held.total + bytes <= bytesMax.bytes else { return false }
            guard let account else {
                guard held.byNodes + bytes <= bytesPerKindMax else { return false }
                held.byNodes += bytes
                return true
            }
            let own = held.byAccount[account, default: 0] + bytes
            guard own <= bytesPerAccountMax.bytes, held.byClients + bytes <= bytesPerKindMax else { return false }
            held.byAccount[account] = own
            held.byClients += bytes
            return true
        }
    }

    fileprivate func remove(_ bytes: Int, of account: AccountID?) {
        held.withLock { held in
            guard let account else {
                held.byNodes -= bytes
                return
            }
            held.byClients -= bytes
            let own = held.byAccount[account, default: 0] - bytes
            held.byAccount[account] = own == 0 ? nil : own
        }
    }
}

/// What one request holds of it. Whoever has it calls ``release()``, on every way.
struct HeldBody: Sendable {
    private let memory: BodyMemory
    /// Whose it claims to be; `nil`: it comes from another node, which has counted it for its client.
    private var account: AccountID?
    private var byteCount = 0

    init(_ memory: BodyMemory) { self.memory = memory }

    /// The body has, or will have, so many bytes.
    /// - Throws: `overloaded` when there is no room for them; what was held before still is.
    mutating func grow(to byteCount: Int, of account: AccountID? = nil) throws(InvocationError) {
        let more = byteCount - self.byteCount
        guard more > 0 else { return }
        guard memory.add(more, of: account) else {
            throw InvocationError(
                .overloaded,
                "The bodies of other requests fill the memory that this node has for them. Try again in a moment; a body of more than "
                    + "half of api.bodyMebibytesMax never fits.")
        }
        self.account = account
        self.byteCount = byteCount
    }

    /// Gives back what is held, if anything is.
    mutating func release() {
        guard byteCount > 0 else { return }
        memory.remove(byteCount, of: account)
        byteCount = 0
    }
}
