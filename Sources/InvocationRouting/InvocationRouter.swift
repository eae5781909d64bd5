// One invocation from its arrival to its answer.
//
//     arrived ──wants a container of another node──► forward there ──► …as below
//        │
//        └─────decide──► run ─────► leased ──► answered ──► recorded
//                │         ├─ no capacity ──► decide again, knowing that nothing is free
//                │         ├─ the idle container has been taken ──► decide again, once, as if nothing were free; here if no region can
//                │         └─ surely not started ──► decide again, a few times
//                │         ├─ no permission here ──► decide again, as if nothing were free
//                ├──────► forward ─► sent ────► answered ──► recorded
//                │         └─ surely not started there ──► decide again, without that region
//                └──────► refuse ──────────────────────────► recorded
//
// What becomes of a call is a value, `InvocationCourse`: `take` makes a decision into a step, and `settle` judges a step's failure. `next`
// and `settle` here bring it together with what is known. A task acts on steps in `complete`, and an event loop, as long as none has to
// wait for anything but a container or a region, in `InPlaceCall`. Each round rules out what was tried, so a call ends after at most one
// round for each region and a few for this node.

public import CapacityPools
public import EngineCore
public import Logging
internal import NIOCore
public import Placement
public import RegionForwarding
internal import Sandboxing
internal import Synchronization
public import Telemetry

/// Takes invocations that are pinned to a version, decides where each goes, acts, and leaves one record of each.
public final class InvocationRouter: Sendable {
    let node: String
    let role: NodeRole
    let policy: PlacementPolicy
    let frequency: Mutex<DecayedFrequency>
    let pool: ContainerPool
    let regions: RegionDirectory?
    let site: Site?
    let code: CodePresence
    /// `nil`: no call is sent to two regions.
    let hedging: Hedging?
    let hedges: Mutex<HedgeBudget>
    /// Where values are that this node has forwarded.
    let regionAffinity = Mutex(RegionAffinity())
    let records: RecordStore
    private let recorded: @Sendable (InvocationRecord) -> Void
    let logger: Logger
    private let draining = Atomic(false)
    let underWay = Atomic(0)
    /// Calls that began on an event loop and have come to need a task.
    let continuations = Continuations()

    /// - Parameters:
    ///   - node: the name of this node, which records carry.
    ///   - regions: where a POP can forward to; `nil` at a region, and at a node that stands alone.
    ///   - site: the other frontends of this site, if there are any.
    ///   - hedging: when a call of an idempotent function goes to a second region; `nil`: never.
    ///   - code: which code is here.
    ///   - recorded: told of every record that is left.
    public init(
        node: String, role: NodeRole, policy: PlacementPolicy, pool: ContainerPool, regions: RegionDirectory?, site: Site? = nil,
        hedging: Hedging? = nil, code: CodePresence = CodePresence(), records: RecordStore, logger: Logger,
        recorded: @escaping @Sendable (InvocationRecord) -> Void = { _ in }
    ) {
        self.node = node
        self.role = role
        self.policy = policy
        frequency = Mutex(DecayedFrequency(configuration: policy.configuration))
        self.pool = pool
        self.regions = regions
        self.site = site
        self.code = code
        self.hedging = hedging
        hedges = Mutex(HedgeBudget(percentMax: hedging?.percentMax ?? 0))
        self.records = records
        self.recorded = recorded
        self.logger = logger
    }

    /// Invocations that have arrived and are not answered yet.
    public var underWayCount: Int { underWay.load(ordering: .relaxed) }

    /// Whether ``drain()`` has been called.
    public var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// Refuses what arrives from now on; what is under way goes on.
    public func drain() { draining.store(true, ordering: .relaxed) }

    /// Continues calls that began on an event loop and came to need a task, until cancelled. Without it such calls stay unanswered.
    public func run() async { await continuations.run() }

    /// Brings one invocation to its answer. Cancelling the task ends the run, here or in the region.
    ///
    /// - Throws: an engine error; the function's own failures are results. Either way one record has been left.
    public func invoke(_ request: InvocationRequest) async throws(InvocationError) -> InvocationResult {
        underWay.add(1, ordering: .relaxed)
        defer { underWay.subtract(1, ordering: .relaxed) }
        var course = try admit(request)
        if request.affinity != nil, let result = try await followAffinity(&course.request, &course.record) { return result }
        return try await complete(course)
    }

    /// A call that has just arrived, and is counted as under way.
    func admit(_ request: InvocationRequest) throws(InvocationError) -> InvocationCourse {
        let course = InvocationCourse(request, node: node)
        guard !isDraining else { throw refuseDraining(course) }
        countArrival(of: request)
        return course
    }

    func countArrival(of request: InvocationRequest) {
        guard hasRegions, policy.configuration.policy == .frequency else { return }
        frequency.withLock { $0.record(request.function.key, at: request.arrival) }
    }

    /// Brings a call to its end from where it is.
    /// - Parameter step: what has been decided already.
    func complete(_ course: InvocationCourse, from step: InvocationCourse.Step? = nil) async throws(InvocationError) -> InvocationResult {
        var course = course
        defer { countEnd(of: course) }
        var decided = step
        while true {
            let step: InvocationCourse.Step
            if let decided { step = decided } else { step = try next(&course) }
            decided = nil
            do throws(InvocationError) {
                switch step {
                case .run(let isAnnounced, let isWarmOnly):
                    noteRun(&course)
                    return try await run(course.request, isAnnounced: isAnnounced, isWarmOnly: isWarmOnly, &course.record)
                case .forward(let region):
                    return try await forward(
                        course.request, to: region, suppliesIfMissing: course.selection?.suppliesIfMissing ?? true, &course.record)
                }
            } catch {
                try settle(error, after: step, &course, isCancelled: Task.isCancelled)
            }
        }
    }

    // MARK: - The two ways

    /// The call is to run here.
    func noteRun(_ course: inout InvocationCourse) {
        course.record.site = node
        course.record.noteDecided(course.request, at: .now())
        noteServed(course.request, by: nil)
    }

    private func run(
        _ request: InvocationRequest, isAnnounced: Bool, isWarmOnly: Bool, _ record: inout InvocationRecord
    ) async throws(InvocationError) -> InvocationResult {
        let facts = record
        let (answer, lease) = try await pool.withLease(for: request, isAnnounced: isAnnounced, isWarmOnly: isWarmOnly) { lease in
            request.results?.describe { $0.place(facts, startLevel: lease.level) }
            let answer = await lease.container.invoke(request)
            return ((answer, lease), ContainerPool.GiveBack(answer))
        }
        return try conclude(&record, lease, answer, request)
    }

    func conclude(
        _ record: inout InvocationRecord, _ lease: ContainerLease, _ answer: ContainerAnswer, _ request: InvocationRequest
    ) throws(InvocationError) -> InvocationResult {
        record.startLevel = lease.level
        record.capacity = lease.capacity
        if lease.capacity.affinity != nil { record.capacity?.generation = pool.generation }
        record.spans.wait = lease.wait.inMilliseconds
        record.spans.fetch = lease.fetch.inMilliseconds
        record.spans.start = lease.start.inMilliseconds
        record.spans.thaw = answer.thaw?.inMilliseconds ?? 0
        record.spans.initialise = answer.initialise?.inMilliseconds ?? 0
        record.spans.run = answer.run.inMilliseconds
        record.endingParty = answer.endingParty
        record.errorType = answer.errorType
        record.memoryPeak = answer.memoryPeak
        guard let outcome = answer.outcome else {
            if answer.surelyNotStarted, answer.endingParty == .engine {
                throw InvocationError(.startFailed, "The container ended before the call began. Try again.")
            }
            if answer.endingParty == .client { throw InvocationError(.aborted, "The client has gone.") }
            let what = isDraining ? "This node shut down while the call ran" : "The sandbox was lost while the call ran"
            throw InvocationError(.launcherLost, "\(what). Decide whether to call again.")
        }
        return leave(record, outcome, InvocationLog(request, answer), request)
    }

    func forward(
        _ request: InvocationRequest, to region: String, suppliesIfMissing: Bool = true, _ record: inout InvocationRecord
    ) async throws(InvocationError) -> InvocationResult {
        guard let client = regions?.client(region) else {
            throw InvocationError(.internalFailure, "A call was to be forwarded to \(region), which is not configured.")
        }
        let result = try await forward(request, by: client, suppliesIfMissing: suppliesIfMissing, &record)
        noteForwarded(request, to: region)
        return result
    }

    /// The region has answered the call.
    func noteForwarded(_ request: InvocationRequest, to region: String) {
        noteServed(request, by: region)
        code.forwarded(request.function)
    }

    func forward(
        _ request: InvocationRequest, by client: RegionClient, suppliesIfMissing: Bool = true, _ record: inout InvocationRecord
    ) async throws(InvocationError) -> InvocationResult {
        let sent = EngineInstant.now()
        record.noteSent(request, at: sent)
        request.results?.describe { [record] in $0.place(record, startLevel: nil) }
        let answer = try await answer(request, by: client, suppliesIfMissing: suppliesIfMissing, &record)
        return conclude(&record, answer, sentAt: sent, request)
    }

    /// A region has answered.
    func conclude(
        _ record: inout InvocationRecord, _ answer: ForwardedAnswer, sentAt sent: EngineInstant, _ request: InvocationRequest
    ) -> InvocationResult {
        record.spans.forward = (EngineInstant.now() - sent).inMilliseconds
        let there = answer.result.record
        record.site = there.site ?? there.node
        record.startLevel = there.startLevel
        record.remote = answer.remote
        record.endingParty = there.endingParty
        record.errorType = there.errorType
        record.memoryPeak = there.memoryPeak
        return leave(record, answer.result.outcome, answer.result.log, request)
    }

    // MARK: - The record

    private func leave(
        _ record: InvocationRecord, _ outcome: InvocationResult.Outcome, _ log: InvocationLog, _ request: InvocationRequest
    ) -> InvocationResult {
        var record = record
        if case .success = outcome { record.outcome = .success } else { record.outcome = .functionError }
        record.responseByteCount = outcome.payload.readableBytes + (request.results?.writtenByteCount ?? 0)
        record.spans.total = (EngineInstant.now() - request.arrival).inMilliseconds
        records.add(RecordStore.Entry(record: record, log: log))
        recorded(record)
        return InvocationResult(outcome: outcome, log: log, record: record)
    }

    func leave(_ record: InvocationRecord, _ error: InvocationError, _ request: InvocationRequest) -> InvocationError {
        var record = record
        record.outcome = error.code == .aborted ? .aborted : .engineError
        record.errorType = error.code.rawValue
        switch error.code {
        case .aborted: record.endingParty = .client
        case .regionFailed: record.endingParty = .region
        default: record.endingParty = .engine
        }
        record.responseByteCount = request.results?.writtenByteCount ?? 0
        record.spans.total = (EngineInstant.now() - request.arrival).inMilliseconds
        if let refusal = CapacityRefusal(error.code) { record.capacity = record.capacity ?? InvocationRecord.Capacity(refusal: refusal) }
        records.add(RecordStore.Entry(record: record, log: InvocationLog()))
        recorded(record)
        return error
    }
}

extension ContainerPool.GiveBack {
    init(_ answer: ContainerAnswer) {
        self.init(keep: answer.isReusable, state: answer.stateHeld, ran: answer.outcome == nil ? nil : answer.run,
            initialise: answer.initialise)
    }
}

extension ResultStream.Head {
    fileprivate mutating func place(_ record: InvocationRecord, startLevel: StartLevel?) {
        (decision, reason, site, self.startLevel) = (record.decision, record.reason, record.site, startLevel)
    }
}

extension CapacityRefusal {
    /// Why the pool refused, where an error is a refusal of its.
    init?(_ code: InvocationError.Code) {
        switch code {
        case .overloaded, .noRegion: self = .noCapacity
        case .rejectedByPolicy: self = .rejectedByPolicy
        case .noPermission: self = .noPermission
        case .reservedConcurrency: self = .reservedConcurrency
        case .variableCapacity: self = .variableCapacity
        case .affinity: self = .affinity
        default: return nil
        }
    }
}

extension InvocationRecord.Capacity {
    init(refusal: CapacityRefusal) {
        self.init()
        self.refusal = refusal
    }
}
