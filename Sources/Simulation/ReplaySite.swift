internal import CapacityPools
internal import EngineCore
internal import Placement

/// One node in virtual time: the pool's state machine, and what a node's hands do, without hands.
struct ReplaySite {
    enum Event {
        /// The start that a call has paid for is over.
        case started(ContainerID, Call)
        case ended(ContainerID, duration: Float)
        /// A start behind a call, or ahead of one, is over.
        case preloaded(ContainerID)
        case booted(InstanceID)
        case forwardedEnded(FunctionIndex, duration: Float)
        case givesUp(WaiterID)
    }

    struct Call {
        let function: Int32
        let duration: Float
        let arrival: Double
    }

    static let runtime = "replayed"

    let replay: Replay
    let trace: Trace
    private(set) var machine: PoolStateMachine
    private var events = EventQueue<Event>()
    private var now = 0.0
    private var nextTick = 0.0
    private(set) var tally: ReplayTally
    /// By function of the trace.
    private var requests: [CapacityRequest] = []
    private var indexes: [FunctionIndex] = []
    /// Seconds of a start from nothing, and on an instance of the warming pool.
    private var starts: [(cold: Double, spare: Double)] = []
    /// By index of the machine.
    private var functions: [Int] = []
    private var waiting: [WaiterID: Call] = [:]
    /// Started ahead of their call, and not used yet.
    private var ahead: Set<ContainerID> = []
    private var warming: ReplayWarming?
    /// What the ledger said when the measuring began.
    private var heldBefore: Double?

    init(_ replay: Replay, retention: any RetentionPolicy) {
        self.replay = replay
        trace = replay.trace
        tally = ReplayTally(functions: trace.costs.count, from: replay.warmUp)
        // Only memory limits here. What else limits a node depends on its hardware and its lead, not on the trace.
        let plenty = 1 << 24
        let configuration = PoolConfiguration(
            memory: Self.bytes(replay.capacity), containersMax: plenty, startsMax: plenty, waitersMax: plenty,
            keepAlive: .seconds(1e9), spareMemory: Self.bytes(replay.warmingPool?.spareMemory ?? 16),
            instanceLifetimeMax: .seconds(1e9), functionsRemembered: max(trace.costs.count, 1))
        machine = PoolStateMachine(configuration: configuration, retention: retention)
        for (function, costs) in trace.costs.enumerated() { add(function, costs) }
        if let pool = replay.warmingPool {
            let warming = ReplayWarming(pool)
            self.warming = warming
            perform(warming.configure(&machine))
        }
    }

    private static func account(_ number: Int32) -> AccountID {
        let digits = String(number)
        guard let id = AccountID(String(repeating: "0", count: 12 - digits.count) + digits) else {
            preconditionFailure("an account's number is not negative")
        }
        return id
    }

    static func bytes(_ mebibytes: Double) -> ByteCount { ByteCount(Int(mebibytes * 1_048_576)) }

    /// A nanosecond later than ``now``, so that what is due now is seen to be, however the numbers are rounded.
    private var instant: EngineInstant { EngineInstant(nanoseconds: Int64(now * 1e9) + 1) }

    private mutating func add(_ function: Int, _ costs: Trace.Costs) {
        let key = FunctionKey(
            account: Self.account(trace.accounts.isEmpty ? Int32(function) : trace.accounts[function]), region: "replay",
            name: "f\(function)")
        let kind = ContainerClass(
            function: key, version: .latest, revision: "\(function)", runtime: Self.runtime, memory: Self.bytes(costs.memory),
            usesSpares: replay.warmingPool != nil)
        let patience = replay.hasRegions ? min(costs.coldStart, costs.roundTrip) : costs.coldStart
        requests.append(
            CapacityRequest(
                kind, coldStart: .seconds(costs.coldStart), roundTrip: replay.hasRegions ? .seconds(costs.roundTrip) : nil,
                patience: .seconds(patience), isAnnounced: true))
        let spare = trace.spareStarts.isEmpty ? replay.warmingPool?.spareStart : trace.spareStarts[function]
        starts.append((costs.coldStart, replay.warmingPool == nil ? costs.coldStart : spare ?? costs.coldStart))
        let index = machine.intern(kind, costs: costs, now: instant)
        indexes.append(index)
        while functions.count <= index { functions.append(function) }
        functions[index] = function
    }

    // MARK: A call

    mutating func serve(_ number: Int) {
        let call = Call(function: trace.functions[number], duration: trace.durations[number], arrival: now)
        let request = requests[Int(call.function)]
        let decision = machine.decide(request, now: instant)
        perform(decision.actions)
        switch decision.choice {
        case nil, .startHere?: lease(call, request)
        case .forward?: forward(call)
        case .forwardAndStart?:
            forward(call)
            let (plan, actions) = machine.startAhead(request.kind, permission: request.permission, now: instant)
            perform(actions)
            if let plan { startAhead(plan, Int(call.function), isPrewarming: false) }
        case .refuse? where replay.hasRegions: forward(call)
        case .refuse? where replay.waitMax > 0: lease(call, request)
        case .refuse?: tally.count(.dropped, function: call.function, at: now)
        }
    }

    private mutating func lease(_ call: Call, _ request: CapacityRequest) {
        let (answer, actions) = machine.lease(request, now: instant)
        // A wait must be known before what is done now ends it.
        if case .wait(let waiter, _) = answer {
            waiting[waiter] = call
            perform(actions)
            if waiting[waiter] != nil { tally.waited(at: now) }
            let patience = replay.hasRegions ? .infinity : max(replay.waitMax, trace.costs[Int(call.function)].coldStart)
            if waiting[waiter] != nil, patience.isFinite { events.add(.givesUp(waiter), at: now + patience + 1e-6) }
            return
        }
        perform(actions)
        take(answer, call)
    }

    private mutating func take(_ answer: LeaseAnswer, _ call: Call) {
        let wait = now - call.arrival
        switch answer {
        case .warm(let grant):
            if !ahead.isEmpty, ahead.remove(grant.container) != nil { tally.hitAhead(at: now) }
            tally.count(.hit(wait: wait), function: call.function, at: call.arrival)
            run(grant.container, call)
        case .start(let plan):
            let start = plan.kind == .instance ? starts[Int(call.function)].spare : starts[Int(call.function)].cold
            noteStart(plan)
            tally.started(coldStart: start, ahead: false, at: now)
            tally.count(.cold(wait + start), function: call.function, at: call.arrival)
            events.add(.started(plan.container, call), at: now + start)
        case .refused where replay.hasRegions: forward(call)
        case .refused, .wait: tally.count(.dropped, function: call.function, at: call.arrival)
        }
    }

    private mutating func noteStart(_ plan: StartPlan) {
        guard warming != nil else { return }
        let instant = instant
        warming?.took(plan, now: instant)
        if plan.kind == .instance { tally.startedOnSpare(at: now) }
        nextTick = min(nextTick, now + ReplayWarming.tick)
    }

    private mutating func run(_ container: ContainerID, _ call: Call) {
        tally.ran(mebibyteSeconds: Double(call.duration) * trace.costs[Int(call.function)].memory, at: now)
        events.add(.ended(container, duration: call.duration), at: now + Double(call.duration))
    }

    private mutating func forward(_ call: Call) {
        let roundTrip = trace.costs[Int(call.function)].roundTrip
        let index = indexes[Int(call.function)]
        machine.forwardedBegan(index, now: instant)
        events.add(.forwardedEnded(index, duration: call.duration), at: now + roundTrip + Double(call.duration))
        tally.count(.forwarded(now - call.arrival + roundTrip), function: call.function, at: call.arrival)
    }

    private mutating func startAhead(_ plan: StartPlan, _ function: Int, isPrewarming: Bool) {
        let start = plan.kind == .instance ? starts[function].spare : starts[function].cold
        if isPrewarming { ahead.insert(plan.container) }
        tally.started(coldStart: start, ahead: isPrewarming, at: now)
        events.add(.preloaded(plan.container), at: now + start)
    }

    // MARK: The machine's wishes

    private mutating func perform(_ actions: [PoolAction]) {
        guard !actions.isEmpty else { return }
        var queue = actions
        var next = 0
        while next < queue.count {
            switch queue[next] {
            case .killContainer(let id):
                ahead.remove(id)
                queue += machine.containerEnded(id, now: instant)
            case .killInstance(let id): queue += machine.instanceEnded(id, now: instant)
            case .bootInstance(let id, _, _): events.add(.booted(id), at: now + (replay.warmingPool?.boot ?? 0))
            case .preload(let plan, let kind):
                if let index = machine.functionIndex(kind) { startAhead(plan, functions[index], isPrewarming: true) }
            case .resume(let waiter, let answer):
                if let call = waiting.removeValue(forKey: waiter) { take(answer, call) }
            case .notice: break
            }
            next += 1
        }
    }

    // MARK: Time

    mutating func advance(to time: Double) {
        while true {
            let event = events.nextAt ?? .infinity
            let due = min(nextTick, machine.nextPrewarming ?? .infinity, machine.nextDue.map { Double($0.nanoseconds) / 1e9 } ?? .infinity)
            guard min(event, due) <= time else { break }
            if due < event {
                pass(to: due)
                perform(machine.tick(now: instant))
                if now >= nextTick { nextTick = now + resize() }
            } else if let (at, event) = events.takeFirst() {
                pass(to: at)
                handle(event)
            }
        }
        pass(to: time)
    }

    /// - Returns: seconds until the next look.
    private mutating func resize() -> Double {
        guard var warming else { return ReplayWarming.calmTick }
        perform(warming.resize(&machine, now: instant))
        let pause = warming.look(at: machine, now: now, measuredFrom: replay.warmUp)
        self.warming = warming
        return pause
    }

    private mutating func pass(to time: Double) {
        now = max(now, time)
        if heldBefore == nil, now >= replay.warmUp { heldBefore = machine.memoryTime(now: instant) }
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .started(let container, let call):
            perform(machine.containerStarted(container, now: instant))
            run(container, call)
        case .ended(let container, let duration):
            perform(machine.release(container, keep: true, ran: .seconds(Double(duration)), now: instant))
        case .preloaded(let container): perform(machine.preloaded(container, now: instant))
        case .booted(let instance):
            nextTick = min(nextTick, now)
            if let pool = replay.warmingPool { warming?.booted(in: pool.boot) }
            perform(machine.instanceReady(instance, now: instant))
        case .forwardedEnded(let function, let duration):
            machine.forwardedEnded(function, ran: .seconds(Double(duration)), now: instant)
        case .givesUp(let waiter):
            guard let call = waiting.removeValue(forKey: waiter) else { return }
            _ = machine.cancel(waiter, timedOut: true, now: instant)
            tally.count(.dropped, function: call.function, at: call.arrival)
        }
    }

    /// Ends the replay with the last arrival; who waits then is still answered, for every call counts.
    mutating func result() -> ReplayResult {
        let end = now
        let held = machine.memoryTime(now: instant) - (heldBefore ?? 0)
        let ready = warming?.readySeconds ?? 0
        while !waiting.isEmpty, let next = events.nextAt { advance(to: next) }
        return tally.result(until: end, heldMebibyteSeconds: held, readySeconds: ready)
    }
}
