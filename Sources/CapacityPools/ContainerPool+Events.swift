internal import EngineCore
internal import Logging
public import Sandboxing
internal import Synchronization

// What the machine wants done, what the host reports, and what time brings.
extension ContainerPool {
    func perform(_ actions: [PoolAction]) {
        for action in actions {
            switch action {
            case .bootInstance(let instance, let spare, let runtime):
                work.continuation.yield(.boot(instance, spare: spare, runtime: runtime))
            case .preload(let plan, let kind): work.continuation.yield(.preload(plan, kind))
            case .killInstance(let id): host.killInstance(id.number)
            case .killContainer(let id): host.killContainer(id.number)
            case .notice(let id):
                logger.notice("variable capacity is taken back from a running call", metadata: ["container": "\(id.number)"])
            case .resume(let waiter, let answer): resume(waiter, answer)
            }
        }
    }

    /// Not at once: what a caller does with its answer may have the next one answered, and so on.
    private func resume(_ waiter: WaiterID, _ answer: LeaseAnswer) {
        guard let waiting = state.withLock({ $0.waiting.removeValue(forKey: waiter) }) else { return }
        host.soon { waiting.resume(answer) }
    }

    /// To be called with every event of the host, from any thread.
    public func handle(_ event: SandboxHostEvent) {
        let now = EngineInstant.now()
        switch event {
        case .containerEnded(let number):
            let id = ContainerID(number: number)
            perform(
                state.withLock { state in
                    state.held[id] = nil
                    if !state.machine.contains(id) { state.endedEarly?.insert(id) }
                    return state.machine.containerEnded(id, now: now)
                })
        case .instanceEnded(let number):
            let id = InstanceID(number: number)
            perform(
                state.withLock { state in
                    for container in state.machine.containers(of: id) { state.held[container] = nil }
                    return state.machine.instanceEnded(id, now: now)
                })
        case .launcherLost:
            // The host has said so; every instance has been reported as ended before.
            break
        case .launcherReady:
            let parked = host.parked
            perform(
                state.withLock { state in
                    // What waits to be adopted keeps its numbers.
                    state.machine.reserveNumbers(to: parked.highestNumber)
                    return state.machine.tick(now: now)
                })
        }
    }

    /// Keeps the warming pool at its target, ends what has been idle too long, answers who has waited too long and listens to the offers of
    /// variable capacity, until cancelled.
    public func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepTime() }
            for driver in drivers {
                group.addTask { await driver.run { self.take($0) } }
            }
            for await item in work.stream {
                group.addTask {
                    switch item {
                    case .boot(let instance, let spare, let runtime): await self.boot(instance, spare: spare, runtime: runtime)
                    case .preload(let plan, let kind): await self.preload(plan, kind)
                    }
                }
            }
            group.cancelAll()
        }
    }

    private func take(_ offer: VariableOffer) {
        perform(
            state.withLock {
                $0.machine.offer(
                    variable: offer.name, price: offer.price, memory: offer.memory, forecast: offer.forecast, now: .now())
            })
    }

    private func keepTime() async {
        var ticks = 0
        while (try? await Task.sleep(for: Self.tick)) != nil {
            let moment = WallMoment.now()
            let (actions, late) = state.withLock { state -> ([PoolAction], [WaiterID]) in
                var actions: [PoolAction] = []
                for taken in state.machine.takeDemand() { state.sizer.took(taken, now: moment.instant) }
                for (subPool, target) in state.sizer.targets(at: moment) {
                    actions += state.machine.setTarget(subPool, target, now: moment.instant)
                }
                actions += state.machine.tick(now: moment.instant)
                return (actions, state.waiting.filter { $0.value.deadline <= moment.instant }.map(\.key))
            }
            perform(actions)
            for waiter in late { abandon(waiter, timedOut: true) }
            ticks += 1
            if ticks.isMultiple(of: Self.ticksPerCheck) { checkBooks() }
        }
        work.continuation.finish()
    }

    /// A fault in the books is told and counted, never mended in silence.
    private func checkBooks() {
        guard let fault = brokenInvariant() else { return }
        state.withLock { state in
            state.brokenInvariants += 1
            state.brokenInvariant = fault
        }
        logger.error("the pool's books are wrong", metadata: ["fault": "\(fault)"])
    }
}
