internal import CapacityPools
internal import EngineCore
internal import RegionForwarding
internal import Sandboxing
internal import Synchronization

/// One call that is brought to its answer from event to event, on event loops, as long as none of its steps needs a task.
///
/// ```
/// begun ─► an idle container here ─► runs ────────────────────────────────► answered
///   │                                 └─ surely not started ─┐
///   └──────────────► decided ◄──────────────────────────────┘
///                     │    ▲
///                     │    └─ to be tried elsewhere, or again ─────────┐
///                     ├─► a region that holds the version ─────────────┴───► answered
///                     ├─► waits for a container, or for its start ─► runs ─► answered
///                     └─► anything else: code to be fetched, a supply, a hedge ─► task ─► answered
/// ```
///
/// A task costs a small call two changes of thread on the way in and two on the way out, which are most of what forwarding takes, and
/// more than the rest of a start does here. Whose turn it is holds the course; there is no other state but what ends the present step.
final class InPlaceCall: Sendable {
    private struct State {
        /// Steps begun so far.
        var step = 0
        /// Ends the present step.
        var cancel: (@Sendable () -> Void)?
        var isCancelled = false
    }

    private static let clientHasGone = InvocationError(.aborted, "The client has gone.")

    private let router: InvocationRouter
    private let completion: @Sendable (Result<InvocationResult, InvocationError>) -> Void
    private let state = Mutex(State())

    init(_ router: InvocationRouter, completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void) {
        self.router = router
        self.completion = completion
    }

    /// Once, and first.
    func begin(_ request: InvocationRequest) {
        if let warm = router.leaseWarm(for: request) { run(request, warm) } else { decide(request) }
    }

    /// The client has gone.
    func cancel() {
        let cancel = state.withLock { state in
            state.isCancelled = true
            return state.cancel
        }
        cancel?()
    }

    // MARK: - Steps

    private func run(_ request: InvocationRequest, _ warm: InvocationRouter.WarmLease) {
        let step = enter()
        let container = warm.lease.container
        container.invoke(request) { [self] answer in
            do throws(InvocationError) {
                finish(.success(try router.conclude(warm, answer, request)))
            } catch {
                if error.surelyNotStarted { decide(request) } else { finish(.failure(error)) }
            }
        }
        expect(step) { container.abort(request.id) }
    }

    private func decide(_ request: InvocationRequest) {
        do throws(InvocationError) { advance(try router.admit(request)) } catch { finish(.failure(error)) }
    }

    private func advance(_ course: InvocationCourse) {
        guard !isCancelled else {
            return end(course, .failure(router.leave(course.record, Self.clientHasGone, course.request)))
        }
        var course = course
        let next: InvocationCourse.Step
        do throws(InvocationError) { next = try router.next(&course) } catch { return end(course, .failure(error)) }
        switch next {
        case .forward(let region):
            guard let client = router.clientInPlace(region, for: course.request.function) else { return handOver(course, next) }
            forward(course, by: client)
        case .run(let isAnnounced, let isWarmOnly):
            lease(course, next, isAnnounced: isAnnounced, isWarmOnly: isWarmOnly)
        }
    }

    private func lease(_ decided: InvocationCourse, _ next: InvocationCourse.Step, isAnnounced: Bool, isWarmOnly: Bool) {
        var course = decided
        router.noteRun(&course)
        let step = enter()
        let cancel = router.pool.lease(for: course.request, isAnnounced: isAnnounced, isWarmOnly: isWarmOnly) { [self, course] result in
            switch result {
            case .success(let lease): run(course, next, lease)
            case .failure(let error): failed(course, next, error)
            }
        }
        if let cancel { expect(step, cancel) } else { handOver(decided, next) }
    }

    private func run(_ course: InvocationCourse, _ next: InvocationCourse.Step, _ lease: ContainerLease) {
        let step = enter()
        lease.container.invoke(course.request) { [self] answer in
            var course = course
            router.pool.giveBack(lease, ContainerPool.GiveBack(answer))
            do throws(InvocationError) {
                end(course, .success(try router.conclude(&course.record, lease, answer, course.request)))
            } catch {
                failed(course, next, error)
            }
        }
        expect(step) { lease.container.abort(course.request.id) }
    }

    /// A step has failed: the call is decided anew, unless that was its end.
    private func failed(_ course: InvocationCourse, _ step: InvocationCourse.Step, _ error: InvocationError) {
        var course = course
        do throws(InvocationError) {
            try router.settle(error, after: step, &course, isCancelled: isCancelled)
        } catch {
            return end(course, .failure(error))
        }
        advance(course)
    }

    private func forward(_ course: InvocationCourse, by client: RegionClient) {
        var course = course
        let sent = EngineInstant.now()
        course.record.noteSent(course.request, at: sent)
        let origin = ForwardOrigin(course.record, to: client.name, elapsed: (sent - course.request.arrival).inMilliseconds)
        let step = enter()
        let cancel = client.forward(course.request, reason: course.record.reason, decision: origin) { [self, course] answer in
            var course = course
            switch answer {
            case .success(let answer):
                let result = router.conclude(&course.record, answer, sentAt: sent, course.request)
                router.noteForwarded(course.request, to: client.name)
                end(course, .success(result))
            case .failure(let error) where error.code == .versionNotHeld && course.selection?.suppliesIfMissing ?? true:
                // It is sent there, and then the call again.
                handOver(course, .forward(region: client.name))
            case .failure(let error):
                failed(course, .forward(region: client.name), error)
            }
        }
        expect(step, cancel)
    }

    private func handOver(_ course: InvocationCourse, _ next: InvocationCourse.Step) {
        let (gone, clientHasGone) = AsyncStream<Never>.makeStream()
        expect(enter()) { clientHasGone.finish() }
        let isTaken = router.continuations.add { [self] in finish(await complete(course, from: next, until: gone)) }
        guard !isTaken else { return }
        end(course, .failure(router.refuseDraining(course)))
    }

    private func complete(
        _ course: InvocationCourse, from next: InvocationCourse.Step, until gone: AsyncStream<Never>
    ) async -> Result<InvocationResult, InvocationError> {
        await withTaskGroup(of: Result<InvocationResult, InvocationError>?.self) { [router] group in
            group.addTask {
                do throws(InvocationError) {
                    return .success(try await router.complete(course, from: next))
                } catch {
                    return .failure(error)
                }
            }
            group.addTask {
                for await _ in gone {}
                return nil
            }
            // Whichever ends first ends the other; of a call that is ended so, its own answer counts.
            var result: Result<InvocationResult, InvocationError>?
            for await ended in group {
                result = result ?? ended
                group.cancelAll()
            }
            return result ?? .failure(InvocationError(.internalFailure, "A call ended without an answer or an error."))
        }
    }

    // MARK: - Its end

    private var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Begins a step.
    private func enter() -> Int {
        state.withLock { state in
            state.step += 1
            state.cancel = nil
            return state.step
        }
    }

    /// What ends a step that has begun, if it has not ended yet.
    private func expect(_ step: Int, _ cancel: @escaping @Sendable () -> Void) {
        let isDue = state.withLock { state in
            guard state.step == step else { return false }
            state.cancel = cancel
            return state.isCancelled
        }
        if isDue { cancel() }
    }

    private func end(_ course: InvocationCourse, _ result: Result<InvocationResult, InvocationError>) {
        router.countEnd(of: course)
        finish(result)
    }

    private func finish(_ result: Result<InvocationResult, InvocationError>) {
        _ = enter()
        completion(result)
        router.underWay.subtract(1, ordering: .relaxed)
    }
}

/// Runs what event loops begin and tasks have to go on with.
///
/// A task of nobody's would outlive the node's orderly end; these are the children of ``run()``. As many wait as calls are under way,
/// which the limits of connections and streams bound.
final class Continuations: Sendable {
    private let waiting = AsyncStream<@Sendable () async -> Void>.makeStream()

    /// - Returns: whether it will run; it does not once ``run()`` has ended.
    func add(_ work: @escaping @Sendable () async -> Void) -> Bool {
        if case .terminated = waiting.continuation.yield(work) { false } else { true }
    }

    /// Once. Until cancelled, which cancels all that runs.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await work in waiting.stream { group.addTask { await work() } }
        }
    }
}
