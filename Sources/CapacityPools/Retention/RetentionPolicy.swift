public import Placement

/// A function's place in the pool's table: small, dense, and given to another once the function is forgotten.
public typealias FunctionIndex = Int

/// What a policy knows of a function: mebibytes of a container, seconds of a start, seconds to its region and back.
public typealias RetentionCosts = CapacityMarket.Costs

/// Who stays warm, who gives way, and what is started ahead of its call.
///
/// The pool tells the policy everything that happens and asks it what to do; the policy owns no container. Times are seconds on the
/// pool's clock, memory is mebibytes. The pool tells only of the memory that all accounts share: what fixed and variable sub-pools hold
/// is theirs, and cannot make room for anybody else.
///
/// A container as the policy sees it:
///
///     (nothing) ──containerStarts──► starting ──containerIsBusy──► busy ◄─┐
///                                       │                           │     containerTaken
///                                       └──containerIsIdle──► idle ◄┴─────┘ containerIsIdle
///     from anywhere ──containerEnded──► (nothing)
///
/// What must not be ended is not told to be idle: a container that is pinned, or dedicated and needed for its target, stays busy in the
/// policy's eyes. So every container the policy knows to be idle may be named as a victim.
public protocol RetentionPolicy: Sendable {
    // MARK: Functions

    /// A function has come into the table. Before anything else is told of it.
    mutating func functionAdded(_ function: FunctionIndex, costs: RetentionCosts)
    /// A better guess of what a start, a container and the way to a region cost.
    mutating func costsChanged(_ function: FunctionIndex, to costs: RetentionCosts)
    /// The function has no container and no call under way, and its index will be given to another.
    mutating func functionForgotten(_ function: FunctionIndex)
    /// The memory that all accounts share has been changed to so many mebibytes.
    mutating func capacityChanged(to mebibytes: Double)

    // MARK: Calls, wherever they run

    /// A call arrives. To be told once to a call, before anything is asked about it.
    ///
    /// - Parameter free: mebibytes that no container holds.
    mutating func callArrived(_ function: FunctionIndex, free: Double, now: Double)
    /// The call has a place: a container here, or a region.
    mutating func callBegan(_ function: FunctionIndex)
    /// A call that had a place has lost it and is to have another. It is not over.
    mutating func callWithdrawn(_ function: FunctionIndex)
    /// A call that had a place is over.
    ///
    /// - Parameters:
    ///   - ran: how long it ran, in seconds, without starts and ways; `nil` where that is not known.
    ///   - elsewhere: in a region.
    mutating func callEnded(_ function: FunctionIndex, ran: Double?, elsewhere: Bool, now: Double)

    // MARK: Containers

    mutating func containerStarts(_ container: ContainerID, of function: FunctionIndex, now: Double)
    /// A container that was starting runs its first call. A start in a call's way says so at once.
    mutating func containerIsBusy(_ container: ContainerID, of function: FunctionIndex)
    /// An idle container has been given a call.
    mutating func containerTaken(_ container: ContainerID, of function: FunctionIndex, now: Double)
    /// A container has become idle and may be named as a victim.
    ///
    /// - Parameters:
    ///   - wasBusy: `false` if it was starting, behind a call or ahead of one.
    ///   - state: mebibytes that its calls have left in it.
    mutating func containerIsIdle(
        _ container: ContainerID, of function: FunctionIndex, wasBusy: Bool, state: Double, now: Double)
    /// A container is gone, or is being ended: as a victim, by age, by itself.
    mutating func containerEnded(_ container: ContainerID, of function: FunctionIndex, was: RetentionState, now: Double)

    // MARK: Questions

    /// How many seconds a container that has just become idle is kept if nobody calls; infinity for ever.
    func keepAlive(_ function: FunctionIndex, wasBusy: Bool, state: Double) -> Double

    /// The idle containers that have to go so that so much comes free. Nothing is changed: the pool ends them and says so.
    ///
    /// - Parameters:
    ///   - memory: mebibytes that are missing; may be negative.
    ///   - slots: containers that are too many; may be negative.
    ///   - gain: seconds of latency won by it; infinity where a call has nowhere else to go.
    /// - Returns: `nil` when not enough is idle, or the loss would exceed the gain.
    mutating func victims(memory: Double, slots: Int, gain: Double, now: Double) -> [RetentionVictim]?

    /// Whether a call should use the idle container that is there; otherwise it is forwarded. For nodes with regions.
    func usesIdle(_ function: FunctionIndex) -> Bool

    /// What becomes of a call that finds no idle container. For nodes with regions, and for replays.
    ///
    /// - Parameters:
    ///   - missing: what one more container lacks.
    ///   - makesRoom: whether others may have to go for it; otherwise it is only asked what a container would be worth.
    ///   - isSetAside: the container would lie in memory that is its account's alone.
    mutating func decideMiss(
        _ function: FunctionIndex, missing: CapacityMarket.Missing, makesRoom: Bool, isSetAside: Bool, now: Double
    ) -> RetentionDecision

    /// Seconds that the function's runs take on average, here and in regions; `nil` where none was seen.
    func runTimes(_ function: FunctionIndex) -> (here: Double?, there: Double?)

    /// When ``takeDuePrewarming(free:now:)`` has something to say; `nil` if nothing is planned.
    var nextPrewarming: Double? { get }
    /// A function of which a container is to be started now, ahead of its call; at most one to a call of this.
    mutating func takeDuePrewarming(free: Double, slots: Int, now: Double) -> RetentionPrewarming?

    /// What a mebibyte-second costs now, in seconds of latency; `nil` for policies without a price.
    var pricePerMebibyteSecond: Double? { get }
}

/// Where a container was when it ended.
public enum RetentionState: Hashable, Sendable { case starting, idle, busy }

/// An idle container that is to go.
public enum RetentionVictim: Hashable, Sendable {
    /// The function's that has been idle for longest, of those the policy was told to be idle and not named already in the same answer.
    case leastRecent(of: FunctionIndex)
    case container(ContainerID)
}

/// A choice, and the idle containers that have to go for it.
public struct RetentionDecision: Hashable, Sendable {
    public var choice: CapacityMarket.Choice
    public var worth: Worth
    /// Seconds of callers' time that one more container is expected to win beyond what it costs; 0 where nothing is reckoned.
    public var gain: Double
    public var victims: [RetentionVictim]

    public init(_ choice: CapacityMarket.Choice, worth: Worth, gain: Double = 0, victims: [RetentionVictim] = []) {
        self.choice = choice
        self.worth = worth
        self.gain = gain
        self.victims = victims
    }
}

/// A start that is due ahead of its call, and the idle containers that have to go for it.
public struct RetentionPrewarming: Hashable, Sendable {
    public var function: FunctionIndex
    public var victims: [RetentionVictim]

    public init(_ function: FunctionIndex, victims: [RetentionVictim] = []) {
        self.function = function
        self.victims = victims
    }
}

// What a policy that only ranks has no opinion about.
extension RetentionPolicy {
    public mutating func functionAdded(_ function: FunctionIndex, costs: RetentionCosts) {}
    public mutating func costsChanged(_ function: FunctionIndex, to costs: RetentionCosts) {}
    public mutating func functionForgotten(_ function: FunctionIndex) {}
    public mutating func capacityChanged(to mebibytes: Double) {}
    public mutating func callArrived(_ function: FunctionIndex, free: Double, now: Double) {}
    public mutating func callBegan(_ function: FunctionIndex) {}
    public mutating func callWithdrawn(_ function: FunctionIndex) {}
    public mutating func callEnded(_ function: FunctionIndex, ran: Double?, elsewhere: Bool, now: Double) {}
    public mutating func containerStarts(_ container: ContainerID, of function: FunctionIndex, now: Double) {}
    public mutating func containerIsBusy(_ container: ContainerID, of function: FunctionIndex) {}
    public func usesIdle(_ function: FunctionIndex) -> Bool { true }

    /// Whatever fits starts here.
    public mutating func decideMiss(
        _ function: FunctionIndex, missing: CapacityMarket.Missing, makesRoom: Bool, isSetAside: Bool, now: Double
    ) -> RetentionDecision {
        guard makesRoom else { return RetentionDecision(.startHere, worth: .start) }
        guard let victims = victims(memory: missing.memory, slots: missing.slots, gain: .infinity, now: now) else {
            return RetentionDecision(.refuse, worth: .noRoom)
        }
        return RetentionDecision(.startHere, worth: .start, victims: victims)
    }

    public var nextPrewarming: Double? { nil }
    public mutating func takeDuePrewarming(free: Double, slots: Int, now: Double) -> RetentionPrewarming? { nil }
    public func runTimes(_ function: FunctionIndex) -> (here: Double?, there: Double?) { (nil, nil) }
    public var pricePerMebibyteSecond: Double? { nil }
}
