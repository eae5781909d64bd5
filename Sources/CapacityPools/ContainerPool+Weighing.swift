public import EngineCore
public import Placement
internal import Sandboxing
internal import Synchronization

// What a call is worth here, before it is decided where it runs.
extension ContainerPool {
    /// What is known of a call besides the call.
    public struct Question: Sendable {
        /// To the region that would take it and back.
        public var roundTrip: Duration?
        /// Whether it may be started here at all, its account's permission aside; otherwise it is only said what it would be worth.
        public var mayStart: Bool

        public init(roundTrip: Duration?, mayStart: Bool) {
            self.roundTrip = roundTrip
            self.mayStart = mayStart
        }
    }

    /// Asks the retention policy what a call is worth here, and makes room for a start it decides on. To be asked once to a call, which
    /// is then announced when it asks for a container.
    ///
    /// - Returns: `nil` when no runtime here can run it.
    public func weigh(_ request: InvocationRequest, _ question: Question) -> PoolWeighing? {
        let version = request.function
        guard let kind = kind(of: version) else { return nil }
        var wish = CapacityRequest(
            kind, permission: surroundings.permission(kind.account), concurrencyMax: surroundings.concurrencyMax(version.key),
            roundTrip: question.roundTrip, weight: version.placement.latency.weight)
        let (weighing, actions) = state.withLock { state -> (PoolWeighing, [PoolAction]) in
            let here = state.machine.availability(kind, permission: wish.permission)
            wish.patience = state.machine.patience(of: kind, roundTrip: question.roundTrip)
            let decision = state.machine.decide(wish, makesRoom: question.mayStart && here.isPermitted, now: .now())
            return (
                PoolWeighing(decision, here, price: state.machine.pricePerMebibyteSecond), decision.actions
            )
        }
        perform(actions)
        return weighing
    }

    /// Starts a container of this version that no call waits for, if there is room or room has been made.
    public func startBehind(_ version: PinnedVersion) {
        guard let kind = kind(of: version) else { return }
        let permission = surroundings.permission(kind.account)
        let (plan, actions) = state.withLock { state in
            if state.versions[version.revision] == nil { state.remember(version) }
            return state.machine.startAhead(kind, permission: permission, now: .now())
        }
        perform(actions)
        if let plan { work.continuation.yield(.preload(plan, kind)) }
    }

    /// A call of the version goes to a region.
    /// - Returns: to be given to ``forwardedEnded(_:by:)`` or ``forwardedWithdrawn(_:)`` exactly once; `nil` if nothing is remembered
    ///   of the function.
    public func forwardedBegan(_ version: PinnedVersion) -> FunctionIndex? {
        guard let kind = kind(of: version) else { return nil }
        return state.withLock { $0.machine.forwardedBegan(kind, now: .now()) }
    }

    /// No region has taken it, and it is to run here.
    public func forwardedWithdrawn(_ function: FunctionIndex) { state.withLock { $0.machine.forwardedWithdrawn(function) } }

    /// How long the runs of a version take, in seconds, here and in regions; `nil` where none was seen. O(1).
    public func runTimes(of version: PinnedVersion) -> (here: Double?, there: Double?) {
        let seen = kind(of: version).map { kind in state.withLock { $0.machine.runTimes(kind) } }
        return (seen?.here ?? profile(of: version)?.duration.inSeconds, seen?.there)
    }

    /// It is over.
    ///
    /// - Parameter remote: what the region said of it; `nil` if it did not answer.
    public func forwardedEnded(_ function: FunctionIndex, by remote: InvocationRecord.RemoteRecord?) {
        let ran = remote.map { Duration.seconds($0.spans.run / 1000) }
        let started: Duration? =
            switch remote?.startLevel {
            case .container?, .instance?, .zygote?, .boot?: remote.map { .seconds(($0.spans.start + $0.spans.initialise) / 1000) }
            case .warm?, nil: nil
            }
        state.withLock { state in
            if let started { state.machine.noteStartElsewhere(function, took: started) }
            state.machine.forwardedEnded(function, ran: ran, now: .now())
        }
    }
}

/// What a call is worth here. Times are seconds.
public struct PoolWeighing: Sendable {
    /// A container is idle for it, or ready sooner than any other way.
    public let hasWarm: Bool
    /// Of one more container, if none is.
    public let worth: Worth
    public let gain: Double
    public let timesSeen: Int?
    public let coldStart: Double?
    public let runHere: Double?
    public let runThere: Double?
    /// What a mebibyte-second costs now.
    public let price: Double?
    public let here: PoolAvailability

    init(_ decision: PoolDecision, _ here: PoolAvailability, price: Double?) {
        hasWarm = decision.choice == nil
        worth = decision.worth
        gain = decision.gain
        timesSeen = decision.timesSeen
        coldStart = decision.coldStart
        runHere = decision.runHere
        runThere = decision.runThere
        self.price = price
        self.here = here
    }
}
