internal import EngineCore
internal import Sandboxing
internal import Synchronization

// A call's way to its container, from event to event:
//
//     asked ──at once──► answered ─► warm, refused ─► told
//       └─► waits ──resumed──┘  ▲         └─► start ──launched, started──► told
//             └── time over, or its client has gone ─► told
//
// The first that is told counts; what comes for a caller who has gone is given back.
extension ContainerPool {
    /// A call that is on its way to a container.
    final class LeaseCall: Sendable {
        let request: InvocationRequest
        /// Where its bundle is, or why that cannot be had.
        let bundle: Result<String, InvocationError>
        let fetch: Duration
        let home: ObjectIdentifier?
        let asked: EngineInstant
        /// What it waits as, and whether its client has gone.
        fileprivate let state = Mutex((waiter: WaiterID?.none, isGone: false))

        init(
            _ request: InvocationRequest, bundle: Result<String, InvocationError>, fetch: Duration = .zero, home: ObjectIdentifier?,
            asked: EngineInstant = .now()
        ) {
            self.request = request
            self.bundle = bundle
            self.fetch = fetch
            self.home = home
            self.asked = asked
        }

        fileprivate var isGone: Bool { state.withLock { $0.isGone } }
    }

    typealias LeaseCompletion = @Sendable (Result<ContainerLease, InvocationError>) -> Void

    /// - Parameter completion: called once, on any thread or before this returns.
    func ask(_ call: LeaseCall, isAnnounced: Bool, isWarmOnly: Bool, _ completion: @escaping LeaseCompletion) {
        let version = call.request.function
        guard let kind = kind(of: version) else {
            return completion(
                .failure(
                    InvocationError(
                        .startFailed, "This node has no runtime for '\(version.runtime)'. Install it or use another runtime.")))
        }
        let wish = CapacityRequest(
            kind, permission: surroundings.permission(kind.account), home: call.home, affinity: call.request.affinity,
            deferral: call.request.deferral, concurrencyMax: surroundings.concurrencyMax(kind.function), deadline: call.request.deadline,
            duration: host.profile(of: kind.function)?.duration, isAnnounced: isAnnounced, isWarmOnly: isWarmOnly)
        let (answer, actions) = state.withLock { state in
            let (answer, actions) = state.machine.lease(wish, now: .now())
            if case .wait(let waiter, let reason) = answer {
                state.waiting[waiter] = Waiting(deadline: call.request.deadline) { self.resumed($0, call, reason, completion) }
            }
            // What the machine may ask to be started ahead, it knows from calls.
            if state.versions[version.revision] == nil { state.remember(version) }
            return (answer, actions)
        }
        perform(actions)
        guard case .wait(let waiter, _) = answer else { return take(answer, call, nil, completion) }
        let isGone = call.state.withLock { state in
            state.waiter = waiter
            return state.isGone
        }
        if isGone { abandon(waiter, timedOut: false) }
    }

    /// The client has gone. A start that is under way goes on: its container is aborted by whom it is given to.
    func leave(_ call: LeaseCall) {
        let waiter = call.state.withLock { state in
            state.isGone = true
            return state.waiter
        }
        if let waiter { abandon(waiter, timedOut: false) }
    }

    /// Takes a caller out of the queue, unless it has been answered this instant.
    func abandon(_ waiter: WaiterID, timedOut: Bool) {
        let waiting = state.withLock { state -> Waiting? in
            guard state.waiting[waiter] != nil, state.machine.cancel(waiter, timedOut: timedOut, now: .now()) != nil else { return nil }
            return state.waiting.removeValue(forKey: waiter)
        }
        waiting?.resume(nil)
    }

    /// The wait is over.
    private func resumed(_ answer: LeaseAnswer?, _ call: LeaseCall, _ reason: CapacityWait, _ completion: @escaping LeaseCompletion) {
        if call.isGone {
            if let answer { giveBack(answer) }
            return completion(.failure(InvocationError(.aborted, "The client has gone.")))
        }
        guard let answer else { return completion(.failure(Self.timedOut(reason))) }
        take(answer, call, reason, completion)
    }

    private func take(_ answer: LeaseAnswer, _ call: LeaseCall, _ reason: CapacityWait?, _ completion: @escaping LeaseCompletion) {
        let wait = EngineInstant.now() - call.asked - call.fetch
        var capacity = InvocationRecord.Capacity()
        capacity.waitedFor = reason
        do throws(InvocationError) {
            switch answer {
            case .warm(let grant):
                capacity.take(grant)
                var lease = try ready(grant.container, state.withLock { $0.held[grant.container]?.container }, capacity)
                lease.wait = wait
                completion(.success(lease))
            case .start(let plan):
                capacity.take(plan)
                start(plan, call, capacity, wait: wait, completion)
            case .refused(let refusal): throw refusal.error(call.request.function)
            case .wait: throw InvocationError(.internalFailure, "A wait for capacity was answered by another. Report this.")
            }
        } catch {
            completion(.failure(error))
        }
    }

    /// An answer that nobody wants any more.
    private func giveBack(_ answer: LeaseAnswer) {
        switch answer {
        case .warm(let grant): perform(state.withLock { $0.machine.release(grant.container, keep: true, now: .now()) })
        case .start(let plan): abort(plan)
        case .wait, .refused: break
        }
    }

    private static func timedOut(_ reason: CapacityWait) -> InvocationError {
        switch reason {
        case .variablePrice:
            InvocationError(
                .variableCapacity,
                "No variable capacity was to be had for the account's bid in the call's time. Bid more, or try again later.")
        default:
            InvocationError(.deadlineExceeded, "The call's time was used up by waiting for capacity. Try again later.")
        }
    }
}
