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
// `invoke` is the only place where a decision is acted on: every fate of an invocation is one case of its switch. Each round of
// the loop rules out what was tried, so it ends after at most one round for each region and a few for this node.

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
    /// How often a call is begun again when its container or start failed before the handler began.
    static let restartsMax = 2
    /// How often a call of an idempotent function is sent on after it may have run in a region that was lost.
    static let rerunsMax = 2

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
    private let underWay = Atomic(0)

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

    /// Brings one invocation to its answer. Cancelling the task ends the run, here or in the region.
    ///
    /// - Throws: an engine error; the function's own failures are results. Either way one record has been left.
    public func invoke(_ request: InvocationRequest) async throws(InvocationError) -> InvocationResult {
        underWay.add(1, ordering: .relaxed)
        defer { underWay.subtract(1, ordering: .relaxed) }
        var record = InvocationRecord(request, node: node)
        guard !isDraining else {
            record.reason = .draining
            throw leave(record, InvocationError(.draining, "This node is shutting down. Send the call to another one."), request)
        }
        if hasRegions, policy.configuration.policy == .frequency {
            frequency.withLock { $0.record(request.function.key, at: request.arrival) }
        }
        var request = request
        if request.affinity != nil, let result = try await followAffinity(&request, &record) { return result }
        var excluded: Set<String> = []
        var selection: RegionSelection?
        var isFull = false
        /// What this node said of the call's capacity: no region's refusal says it better.
        var refusal: InvocationError?
        var restarts = 0
        var known: Weighed?
        /// It found its idle container taken, and has gone to look for a region.
        var hasLeft = false
        /// One call to those who count calls, however many regions it is sent to.
        var forwarded: FunctionIndex?
        defer { if let forwarded { pool.forwardedEnded(forwarded, by: record.remote) } }
        while true {
            // An old version is served from here alone; why no region took the newest stays as it was.
            if record.staleRevision == nil {
                selection = regions?.choose(for: request.function, tried: excluded)
            } else {
                selection?.region = nil
                let reachable = selection?.reachable ?? []
                selection?.declined.formUnion(reachable)
            }
            let weighed = known ?? (record.staleRevision == nil ? weigh(request, selection) : Weighed(worth: .uncommon))
            let decision = policy.decide(inputs(request, weighed, selection, isFull: isFull))
            if known == nil {
                if record.staleRevision == nil { record.placement = weighed.basis }
                if decision.reason == .startedBehind {
                    pool.startBehind(request.function)
                    record.placement?.startsBehind = true
                }
                known = weighed
            }
            record.decision = decision.kind
            record.reason = decision.reason
            if decision.reason == .codeNotCurrent { code.want(request.function) }
            let began = EngineInstant.now()
            var isLeaving = false
            do throws(InvocationError) {
                switch decision {
                case .run(let plan):
                    if let call = forwarded {
                        forwarded = nil
                        pool.forwardedWithdrawn(call)
                    }
                    isLeaving = !hasLeft && mayLeave(request, plan, selection)
                    return try await run(
                        request, isAnnounced: weighed.isAnnounced || restarts > 0 || hasLeft, isWarmOnly: isLeaving, &record)
                case .forward(let plan):
                    record.regions = selection?.choice
                    if forwarded == nil, weighed.isAnnounced { forwarded = pool.forwardedBegan(request.function) }
                    return try await forward(
                        request, to: plan.region, suppliesIfMissing: selection?.suppliesIfMissing ?? true, &record)
                case .refuse(.overloaded) where isFull && refusal == nil:
                    // It has only been said that nothing is idle.
                    isFull = false
                    continue
                case .refuse(.overloaded):
                    if refusal == nil { pool.countRefusal(of: request.function) }
                    throw self.refusal(request, ofPool: refusal, isCutOff: selection?.reachable.isEmpty ?? false)
                case .refuse(.codeNotCurrent):
                    guard record.staleRevision == nil, let stale = code.stale(request.function) else {
                        throw InvocationError(
                            .codeNotCurrent,
                            "The code of \(request.function.arn) is not here yet, and no region can take the call. Try again in a moment.")
                    }
                    pool.reinstate(stale)
                    request = request.running(stale)
                    record.serve(stale)
                    known = nil
                    continue
                case .refuse(.hopLimit):
                    throw InvocationError(.hopLimit, "The call has been forwarded as often as permitted. Check the peers' configuration.")
                }
            } catch {
                if case .forward(let plan) = decision { record.note(error, at: plan.region, since: began, request) }
                switch decision {
                case .run where (error.code == .overloaded || error.code == .noPermission) && !isFull:
                    isFull = true
                    if isLeaving { hasLeft = true } else { refusal = error }
                    record.note(error, at: node, since: began, request)
                case .run where error.code == .startFailed && restarts < Self.restartsMax && !Task.isCancelled:
                    restarts += 1
                    record.note(error, at: node, since: began, request)
                case .forward(let plan) where mayGoElsewhere(request, after: error, record):
                    // The record tells it; a line for each call would drown the log when a region is down.
                    logger.debug(
                        "a region did not answer a call, which is tried elsewhere",
                        metadata: ["region": "\(plan.region)", "error": "\(error)"])
                    excluded.insert(plan.region)
                default:
                    throw leave(record, error, request)
                }
            }
        }
    }

    /// Runs the call in a container that is idle here, without a task: for a caller on an event loop, the shortest way there is.
    ///
    /// It makes the decision that ``invoke(_:)`` would make, for an idle container is always preferred.
    ///
    /// - Parameter completion: called once, on any thread or before this returns. A failure that `surelyNotStarted` has left no
    ///   record; the call is then to be invoked the other way.
    /// - Returns: what ends the call when its client goes away; `nil` when no container is idle here, and nothing has been done.
    public func invokeWarm(
        _ request: InvocationRequest, completion: @escaping @Sendable (Result<InvocationResult, InvocationError>) -> Void
    ) -> (@Sendable () -> Void)? {
        // Counted before the check: who drains sets the mark first and looks at the count then.
        underWay.add(1, ordering: .relaxed)
        guard !isDraining, !isTooLong(request.function), let lease = pool.takeWarm(for: request.function) else {
            underWay.subtract(1, ordering: .relaxed)
            return nil
        }
        let inputs = PlacementInputs(
            role: role, origin: request.origin, hasWarmContainer: true, worth: .start, functionMemory: request.function.memory,
            freeMemory: .zero, freeSlots: 0, hasRegions: hasRegions, reachableRegions: [])
        let decision = policy.decide(inputs)
        guard case .run = decision else {
            pool.giveBack(lease, ContainerPool.GiveBack(keep: true))
            underWay.subtract(1, ordering: .relaxed)
            return nil
        }
        let decided = EngineInstant.now()
        lease.container.invoke(request) { [self] answer in
            pool.giveBack(lease, ContainerPool.GiveBack(answer))
            var record = InvocationRecord(request, node: node)
            record.decision = .run
            record.reason = decision.reason
            record.site = node
            record.spans.decide = (decided - request.arrival).inMilliseconds
            let result: Result<InvocationResult, InvocationError>
            do throws(InvocationError) {
                result = .success(try conclude(&record, lease, answer, request))
            } catch {
                result = .failure(error.surelyNotStarted ? error : leave(record, error, request))
            }
            // A call that goes the other way is counted there, and the market has heard of this one when it took its container.
            if case .failure(let error) = result, error.surelyNotStarted {
            } else if hasRegions, policy.configuration.policy == .frequency {
                frequency.withLock { $0.record(request.function.key, at: request.arrival) }
            }
            completion(result)
            underWay.subtract(1, ordering: .relaxed)
        }
        let container = lease.container
        return { container.abort(request.id) }
    }

    /// Whether a call of this version would find an idle container now. O(1).
    public func isWarm(_ version: PinnedVersion) -> Bool { pool.hasWarm(version) }

    /// What a call is told that nothing here or elsewhere can take.
    ///
    /// - Parameters:
    ///   - ofPool: what the pool here said, if it was asked.
    ///   - isCutOff: regions are configured, and none can be reached.
    private func refusal(_ request: InvocationRequest, ofPool: InvocationError?, isCutOff: Bool) -> InvocationError {
        if isCutOff, case .client = request.origin, ofPool?.code ?? .overloaded == .overloaded {
            return InvocationError(.noRegion, "No region can be reached, and no capacity is free here. Try again later.")
        }
        return ofPool ?? InvocationError(.overloaded, "No capacity is free here, and no region can take the call. Try again later.")
    }

    // MARK: - The two ways

    private func run(
        _ request: InvocationRequest, isAnnounced: Bool, isWarmOnly: Bool, _ record: inout InvocationRecord
    ) async throws(InvocationError) -> InvocationResult {
        record.site = node
        record.noteDecided(request, at: .now())
        noteServed(request, by: nil)
        let facts = record
        let (answer, lease) = try await pool.withLease(for: request, isAnnounced: isAnnounced, isWarmOnly: isWarmOnly) { lease in
            request.results?.describe { $0.place(facts, startLevel: lease.level) }
            let answer = await lease.container.invoke(request)
            return ((answer, lease), ContainerPool.GiveBack(answer))
        }
        return try conclude(&record, lease, answer, request)
    }

    private func conclude(
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
        noteServed(request, by: region)
        code.forwarded(request.function)
        return result
    }

    func forward(
        _ request: InvocationRequest, by client: RegionClient, suppliesIfMissing: Bool = true, _ record: inout InvocationRecord
    ) async throws(InvocationError) -> InvocationResult {
        let sent = EngineInstant.now()
        record.noteDecided(request, at: sent)
        record.endingParty = .region
        request.results?.describe { [record] in $0.place(record, startLevel: nil) }
        let answer = try await answer(request, by: client, suppliesIfMissing: suppliesIfMissing, &record)
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
