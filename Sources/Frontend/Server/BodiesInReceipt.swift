import EngineCore
import Synchronization

/// The memory of the large bodies that are being received, before their signatures can be verified.
final class BodiesInReceipt: Sendable {
    private struct Held {
        var total = 0
        var byAccount: [AccountID: Int] = [:]
    }

    private let held = Mutex(Held())

    /// Counts `bytes` more for a request that claims to be of `account`.
    /// - Throws: `TooManyRequestsException` when there is no room for them; nothing is counted then.
    func add(_ bytes: Int, of account: AccountID, limits: LambdaLimits) throws(LambdaError) {
        let hasRoom = held.withLock { held in
            let own = held.byAccount[account, default: 0] + bytes
            guard held.total + bytes <= limits.bodyBytesInReceipt.bytes, own <= limits.bodyBytesInReceiptPerAccount.bytes else {
                return false
            }
            held.total += bytes
            held.byAccount[account] = own
            return true
        }
        guard hasRoom else { throw .throttled(.callerRate) }
    }

    /// Takes back what was counted.
    func remove(_ bytes: Int, of account: AccountID) {
        guard bytes > 0 else { return }
        held.withLock { held in
            held.total -= bytes
            let own = held.byAccount[account, default: 0] - bytes
            held.byAccount[account] = own == 0 ? nil : own
        }
    }
}
