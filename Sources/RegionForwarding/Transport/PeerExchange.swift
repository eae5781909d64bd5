import HTTPTypes
import NIOCore
import NIOHPACK
import Synchronization

// One request and its answer, between who asks (a task, or another handler) and the connection that carries it (an event loop).
//
//     silent ──head──► answering ──end──► ended
//        │                 │
//        └─────────────────┴──fail: cancelled, late, lost, no room──► failed      (the first ending counts; what was read stays)
//
// The asker waits for one condition at a time and is woken when a whole read of the connection has been taken in, so that a small answer
// wakes it once. Bytes it has not taken count against the stream's window: a slow reader stops the sender, and nobody else.

/// One exchange with another node.
final class PeerExchange: Sendable {
    typealias Failure = RegionClient.Failure

    /// What the asker waits for. A failure meets each of them.
    enum Condition {
        case head
        /// Bytes, or the end.
        case part
        /// The end, or so many bytes that taking them opens the window again.
        case bulk(byteCount: Int)
    }

    private struct State {
        var status: Int?
        var parts = CircularBuffer<ByteBuffer>()
        var byteCount = 0
        var isEnded = false
        var failure: Failure?
        var waiter: (condition: Condition, wake: @Sendable () -> Void)?
        /// Taken by the asker and not yet granted to the sender again.
        var ungranted = 0
        var lane: PeerLane.Reference?

        var isOver: Bool { isEnded || failure != nil }

        func meets(_ condition: Condition) -> Bool {
            if isOver { return true }
            return switch condition {
            case .head: status != nil
            case .part: !parts.isEmpty
            case .bulk(let wanted): byteCount >= wanted
            }
        }
    }

    let head: HPACKHeaders
    let body: RequestBody?
    private let state = Mutex(State())

    private let limitsHeadOnly: Bool

    /// - Parameter limitsHeadOnly: whether the deadline is that of the answer's head; otherwise it is that of its end.
    init(head: HPACKHeaders, body: RequestBody?, limitsHeadOnly: Bool = false) {
        self.head = head
        self.body = body
        self.limitsHeadOnly = limitsHeadOnly
    }

    // MARK: The asker

    /// Calls `wake` when the condition is met: at once, or on the connection's event loop. One waits at a time.
    func when(_ condition: Condition, _ wake: @escaping @Sendable () -> Void) {
        let isMet = state.withLock { state in
            guard !state.meets(condition) else { return true }
            state.waiter = (condition, wake)
            return false
        }
        if isMet { wake() }
    }

    /// Returns when the condition is met. One waits at a time.
    func wait(for condition: Condition) async {
        await withCheckedContinuation { continuation in when(condition) { continuation.resume() } }
    }

    var hasHead: Bool { state.withLock { $0.status != nil } }

    /// The answer's status, once there is one.
    func status() throws(Failure) -> Int? {
        let (status, failure) = state.withLock { ($0.status, $0.failure) }
        if let failure { throw failure }
        return status
    }

    /// The next bytes of those that have come; `nil` when none are there.
    /// - Throws: the failure, once all that came before it has been taken.
    func take() throws(Failure) -> (part: ByteBuffer?, isEnded: Bool) {
        let (part, isEnded, failure, granted, lane) = state.withLock { state in
            let part = state.parts.popFirst()
            let size = part?.readableBytes ?? 0
            state.byteCount -= size
            state.ungranted += size
            let grants = !state.isOver && state.ungranted >= PeerTransport.streamWindowBytes / 2
            let granted = grants ? state.ungranted : 0
            if grants { state.ungranted = 0 }
            return (part, state.isEnded && state.parts.isEmpty, state.failure, granted, state.lane)
        }
        if granted > 0 { lane?.perform { $0.grant(granted, to: self) } }
        if part == nil, let failure { throw failure }
        return (part, isEnded)
    }

    /// Ends the exchange unless it is over; the other side sees its stream reset.
    func fail(_ failure: Failure) {
        guard let lane = end(failure) else { return }
        lane?.perform { $0.drop(self) }
    }

    // MARK: The connection

    /// - Returns: whether the exchange is to be begun there; it is over otherwise.
    func place(in lane: PeerLane.Reference) -> Bool {
        state.withLock { state in
            state.lane = lane
            return !state.isOver
        }
    }

    func received(status: Int) { state.withLock { $0.status = status } }

    func received(_ part: ByteBuffer) {
        state.withLock { state in
            guard !state.isOver, part.readableBytes > 0 else { return }
            state.byteCount += part.readableBytes
            state.parts.append(part)
        }
    }

    func receivedEnd() { state.withLock { $0.isEnded = $0.failure == nil } }

    var isOver: Bool { state.withLock { $0.isOver } }

    /// The deadline has come.
    /// - Returns: whether it ends the exchange.
    func expire() -> Bool {
        if limitsHeadOnly, hasHead { return false }
        return finish(.late)
    }

    /// - Returns: whether it was not over yet.
    @discardableResult
    func finish(_ failure: Failure) -> Bool {
        end(failure) != nil
    }

    /// - Returns: where it was at that moment, if it is anywhere; `nil` when it was over already.
    private func end(_ failure: Failure) -> PeerLane.Reference?? {
        let lane = state.withLock { state -> PeerLane.Reference?? in
            guard !state.isOver else { return nil }
            state.failure = failure
            return .some(state.lane)
        }
        if lane != nil { wake() }
        return lane
    }

    /// Wakes the asker if what it waits for has come.
    func wake() {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            guard let waiter = state.waiter, state.meets(waiter.condition) else { return nil }
            state.waiter = nil
            return waiter.wake
        }
        wake?()
    }
}
