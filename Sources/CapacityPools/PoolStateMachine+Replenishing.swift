internal import EngineCore

// When the warming pool is brought to its target.
//
//     full ──a spare is taken, ends or fails──► lacking ──quiet, or too long──► booting ──instanceReady──► full
//
// A spare that boots while a call starts takes from it what the call needs most, a processor. So a lack waits until no start is
// under way and the last one was `replenishDelay` ago, by when its call has been answered, mostly. Steady cold calls would
// put that off for ever: then it waits no longer than `lackMax`. After a failed boot it waits longer with each.
//
// Somebody who waits for capacity is no reason to hurry: they wait for memory, which a spare would take, or for a start of their
// own, which is the same work.
extension PoolStateMachine {
    /// How long calls that keep starting can put off the boot of a spare.
    public static let lackMax = Duration.milliseconds(500)

    /// Brings a runtime's warming pool to its target, counting what is booting already (POOL-15), if it is time to.
    mutating func replenish(_ runtime: String, now: EngineInstant, actions: inout [PoolAction]) {
        guard lacksSpares(runtime) else {
            lacking[runtime] = nil
            return
        }
        let since = lacking[runtime] ?? now
        lacking[runtime] = since
        // Who waits comes first: a spare instance that takes the memory they wait for would be ended for it again, and so on for ever.
        guard !isDraining, waiters.isEmpty, now >= bootFailures[runtime]?.retryAt ?? now, isQuiet(now) || now - since >= Self.lackMax
        else { return }
        while lacksSpares(runtime), booting.values.reduce(0, +) < configuration.startsMax,
            memoryHeld + configuration.spareMemory <= configuration.memory, containers.count < configuration.containersMax
        {
            boot(runtime, actions: &actions)
        }
        // What is still lacking waits anew, for it has been looked at.
        lacking[runtime] = lacksSpares(runtime) ? now : nil
    }

    private mutating func boot(_ runtime: String, actions: inout [PoolAction]) {
        let instance = InstanceID(number: nextNumber())
        let spare = ContainerID(number: nextNumber())
        instances[instance] = Instance(runtime: runtime, state: .booting, containers: [spare], exists: false)
        containers[spare] = Container(instance: instance, state: .spare, kind: nil, memory: configuration.spareMemory)
        memoryHeld += configuration.spareMemory
        booting[runtime, default: 0] += 1
        actions.append(.bootInstance(instance, spare: spare, runtime: runtime))
    }

    private func lacksSpares(_ runtime: String) -> Bool {
        ready[runtime, default: []].count + booting[runtime, default: 0] < configuration.warmingTargets[runtime] ?? 0
    }

    /// Whether a spare that boots now takes nothing from a call that starts.
    private func isQuiet(_ now: EngineInstant) -> Bool {
        startingCount == 0 && lastStart.map { now - $0 >= configuration.replenishDelay } ?? true
    }
}
