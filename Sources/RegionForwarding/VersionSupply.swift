import EngineCore
import Synchronization

/// Sees to it that many calls that find a version missing in a region supply it once.
///
/// The first call supplies it itself; those that come meanwhile wait for the outcome; those whose refusal was on its way
/// when the version arrived have nothing to do. When the first is cancelled or out of time, that says nothing about the
/// region, and one of those who wait takes over.
final class VersionSupply: Sendable {
    typealias Outcome = Result<Void, InvocationError>

    private struct Waiter {
        let id: UInt64
        let continuation: CheckedContinuation<Outcome?, Never>
    }

    private struct State {
        /// Those who wait for a supply under way, by revision.
        var underWay: [String: [Waiter]] = [:]
        /// When a revision was last supplied; the order in which they were, oldest first.
        var supplied: [String: EngineInstant] = [:]
        var order: [String] = []
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())
    private let remembered: Int

    /// - Parameter remembered: the supplies that are remembered; the oldest is forgotten.
    init(remembered: Int) { self.remembered = remembered }

    /// Returns when the region holds `revision`.
    /// - Parameters:
    ///   - asked: when the call was sent that the region refused.
    ///   - deadline: of the call; no wait is longer.
    ///   - supply: sends package and version.
    func ensure(
        _ revision: String, asked: EngineInstant, deadline: EngineInstant,
        supply: @Sendable () async throws(InvocationError) -> Void
    ) async throws(InvocationError) {
        while true {
            switch begin(revision, asked: asked) {
            case .done: return
            case .lead: return try await lead(revision, supply)
            case .follow:
                let (outcome, expired) = await race(until: deadline) { await self.wait(for: revision) }
                guard !Task.isCancelled else { throw Self.cancelled }
                guard !expired else {
                    throw InvocationError(.deadlineExceeded, "The call's time was up before its code had been sent to the region.")
                }
                switch outcome {
                case .success: return
                case .failure(let error) where error.code != .aborted && error.code != .deadlineExceeded: throw error
                case .failure, nil: continue
                }
            }
        }
    }

    private enum Role { case done, lead, follow }

    private func begin(_ revision: String, asked: EngineInstant) -> Role {
        state.withLock { state in
            if let supplied = state.supplied[revision], supplied > asked { return .done }
            guard state.underWay[revision] == nil else { return .follow }
            state.underWay[revision] = []
            return .lead
        }
    }

    private func lead(_ revision: String, _ supply: () async throws(InvocationError) -> Void) async throws(InvocationError) {
        let outcome: Outcome
        do {
            try await supply()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        let waiters = state.withLock { state in
            if case .success = outcome { remember(revision, in: &state) }
            return state.underWay.removeValue(forKey: revision) ?? []
        }
        for waiter in waiters { waiter.continuation.resume(returning: outcome) }
        try outcome.get()
    }

    private func remember(_ revision: String, in state: inout State) {
        if state.supplied.updateValue(.now(), forKey: revision) != nil {
            state.order.removeAll { $0 == revision }
        }
        state.order.append(revision)
        if state.order.count > remembered { state.supplied[state.order.removeFirst()] = nil }
    }

    /// - Returns: the outcome of the supply under way; `nil` when it has just ended.
    private func wait(for revision: String) async -> Outcome? {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    // Cancellation that came before this is seen here; cancellation that comes after finds the waiter.
                    guard !Task.isCancelled, state.underWay[revision] != nil else { return false }
                    state.underWay[revision]?.append(Waiter(id: id, continuation: continuation))
                    return true
                }
                if !waits { continuation.resume(returning: nil) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.underWay[revision]?.firstIndex(where: { $0.id == id }) else { return nil }
                return state.underWay[revision]?.remove(at: index)
            }
            waiter?.continuation.resume(returning: .failure(Self.cancelled))
        }
    }

    private static let cancelled = InvocationError(.aborted, "The client has gone.")
}
