import CapacityPools
import EngineCore
import Placement
import Testing

/// A POP's pool, its market and the rules of placement, asked as the router asks them, in virtual time.
private struct Pop {
    var model: PoolModel
    var policy: PlacementPolicy
    var situation: PlacementTableTests.Situation

    init(_ situation: PlacementTableTests.Situation) throws {
        self.situation = situation
        var configuration = PoolConfiguration(memory: .mebibytes(1000), containersMax: 100, keepAlive: .seconds(36_000))
        configuration.rareCalls = 3
        // Wide, so that ageing does not happen to meet a counter of the few functions here.
        configuration.functionsCounted = 1 << 20
        var market = CapacityMarket.Configuration(capacity: 1000)
        // What comes by the clock needs nothing behind a call, for it is started ahead of the next.
        market.prewarms = false
        model = PoolModel(
            configuration, retention: MarketRetention(configuration: market, rule: KeepAliveRule(base: 36_000), seed: 1))
        policy = PlacementPolicy(
            configuration: try PlacementConfiguration(policy: .market, largestFunctionMemory: .mebibytes(4096)))
    }

    /// What becomes of a call, without its being carried out.
    mutating func decide(_ request: CapacityRequest, makesRoom: Bool = true) -> DecisionReason {
        let here = model.pool.availability(request.kind, permission: request.permission)
        let decision = model.pool.decide(request, makesRoom: makesRoom && here.isPermitted && situation.isCodeHere, now: model.now)
        model.take(decision.actions)
        model.performAll()
        let after = model.pool.availability(request.kind, permission: request.permission)
        return policy.decide(
            PlacementInputs(
                role: .pop, origin: .client, hasWarmContainer: decision.choice == nil, worth: decision.worth,
                run: decision.runHere ?? decision.runThere, isCodeHere: situation.isCodeHere, functionMemory: request.kind.memory,
                freeMemory: after.freeMemory, freeSlots: after.freeSlots, isPermitted: here.isPermitted, hasRegions: true,
                reachableRegions: ["region"])
        ).reason
    }

    /// A call that a region runs.
    mutating func forward(_ request: CapacityRequest, run: Duration) {
        _ = decide(request, makesRoom: false)
        guard let function = model.pool.forwardedBegan(request.kind, now: model.now) else { return }
        model.pool.forwardedEnded(function, ran: run, now: model.now + run)
    }

    /// A call that runs here and leaves its container idle, or leaves nothing.
    mutating func run(_ request: CapacityRequest, run: Duration, keep: Bool) {
        model.lease(request)
        for id in model.leased {
            model.take(model.pool.release(id, keep: true, ran: run, now: model.now))
            if !keep { model.take(model.pool.kill(id, now: model.now)) }
        }
        model.leased = []
        model.performAll()
    }
}

struct PlacementTableTests {
    /// What a decision rests on, each at its base.
    struct Situation: Sendable {
        var calls = 20
        /// Seconds between the function's calls.
        var gap = 10
        var coldStart = Duration.milliseconds(5)
        var runHere = Duration.milliseconds(10)
        var runThere = Duration.milliseconds(10)
        var weight = PlacementRule.Latency.normal.weight
        var roundTrip = Duration.milliseconds(30)
        var mebibytes = 128
        var isCodeHere = true
        /// Seconds between the calls of each of those who fill the node; `nil`: it is empty.
        var others: Int?
        var mayGrow = true
    }

    struct Flip: Sendable, CustomTestStringConvertible {
        let input: String
        let before: DecisionReason
        let after: DecisionReason
        var base: @Sendable (inout Situation) -> Void = { _ in }
        let change: @Sendable (inout Situation) -> Void
        var testDescription: String { "\(input): \(before.rawValue) → \(after.rawValue)" }

        // Where the edges lie. w, r, c: weight, way, cold start; κ = 0.05, what a second of starting is worth; the rent of 128 MiB is below
        // 0.2 ms to the second here, so it moves the edges of starts, which take milliseconds, by less than a hundredth of one.
        //
        //     here            w (r + there − here) − w c > κ c       c < 28.6 ms at r = 30, 29.3 at w = 2; r > 5.25 ms at c = 5
        //     behind          c ≥ r + there − here, and something is won at all
        //     neither         between the two: not worth its start
        //     profile         runs take so much longer here that no way is left: here − there ≥ 30 ms
        //     makes room      w (r − c − κ c) + (w c + κ c) > 1.05 × what a resident is worth, 30 + 0.05 × 200 ms: w r > 42 ms
        //
        // All call every second where the node is full. Chances of a return are not quite 1 and a second of keeping is not quite free, so
        // the last edge is known to a tenth only, the others to the digit.
        static let all = [
            Flip(input: "frequency", before: .frequent, after: .uncommon, base: { $0.calls = 3 }) { $0.calls = 2 },
            Flip(input: "cold start", before: .frequent, after: .uncommon, base: cold(28)) { $0.coldStart = .milliseconds(29) },
            Flip(input: "cold start, as long as the way", before: .uncommon, after: .startedBehind, base: cold(29)) {
                $0.coldStart = .milliseconds(30)
            },
            Flip(input: "round trip", before: .frequent, after: .uncommon, base: { $0.roundTrip = .microseconds(5300) }) {
                $0.roundTrip = .microseconds(5200)
            },
            Flip(input: "run time here", before: .frequent, after: .uncommon, base: { $0.runHere = .microseconds(34_700) }) {
                $0.runHere = .microseconds(34_800)
            },
            Flip(input: "run time here, no way left", before: .frequent, after: .profile) { $0.runHere = .microseconds(40_100) },
            Flip(input: "run time there", before: .uncommon, after: .frequent, base: slow(there: 42)) { $0.runThere = .milliseconds(44) },
            Flip(input: "run time there, as long as the start", before: .startedBehind, after: .uncommon, base: slow(there: 39)) {
                $0.runThere = .milliseconds(41)
            },
            Flip(input: "latency sensitivity", before: .uncommon, after: .frequent, base: cold(29)) {
                $0.weight = PlacementRule.Latency.high.weight
            },
            Flip(input: "latency sensitivity in a full node", before: .noCapacity, after: .frequent, base: full(roundTrip: 30)) {
                $0.weight = PlacementRule.Latency.high.weight
            },
            Flip(input: "round trip in a full node", before: .noCapacity, after: .frequent, base: full(roundTrip: 38)) {
                $0.roundTrip = .milliseconds(47)
            },
            Flip(input: "memory", before: .frequent, after: .noCapacity, base: { $0.mebibytes = 1000 }) { $0.mebibytes = 1001 },
            Flip(input: "memory over the limit", before: .noCapacity, after: .profile, base: { $0.mebibytes = 4096 }) {
                $0.mebibytes = 4097
            },
            Flip(input: "code", before: .frequent, after: .codeNotCurrent) { $0.isCodeHere = false },
            Flip(input: "free capacity", before: .frequent, after: .noCapacity, base: { $0.gap = 1 }) { $0.others = 1 },
            Flip(input: "permission", before: .frequent, after: .noPermission) { $0.mayGrow = false },
        ]

        static func cold(_ milliseconds: Int) -> @Sendable (inout Situation) -> Void {
            { $0.coldStart = .milliseconds(milliseconds) }
        }

        /// Starts that take 60 ms.
        static func slow(there milliseconds: Int) -> @Sendable (inout Situation) -> Void {
            { ($0.coldStart, $0.runThere) = (.milliseconds(60), .milliseconds(milliseconds)) }
        }

        static func full(roundTrip milliseconds: Int) -> @Sendable (inout Situation) -> Void {
            { ($0.others, $0.gap, $0.roundTrip) = (1, 1, .milliseconds(milliseconds)) }
        }
    }

    @Test(arguments: Flip.all) func `PLACE-07 flipping each input alone flips a decision`(_ flip: Flip) throws {
        var base = Situation()
        flip.base(&base)
        var changed = base
        flip.change(&changed)
        #expect(try Self.reason(base) == flip.before)
        #expect(try Self.reason(changed) == flip.after)
    }

    /// Why the next call goes where it goes, after the situation's history.
    private static func reason(_ situation: Situation) throws -> DecisionReason {
        var pop = try Pop(situation)
        var request = CapacityRequest(
            try PoolModel.kind(0, 0, mebibytes: situation.mebibytes, usesSpares: false), coldStart: situation.coldStart,
            roundTrip: situation.roundTrip, weight: situation.weight)
        let length = situation.calls * situation.gap
        // The others may need longer to show their habits; all end together.
        let end = max(length, 20 * (situation.others ?? 0))
        var schedule: [(at: Int, other: Int?)] = (0..<situation.calls).map { (end - length + $0 * situation.gap, nil) }
        if let gap = situation.others {
            for other in 0..<7 { schedule += stride(from: other * gap / 7, to: end, by: gap).map { ($0, other) } }
        }
        for (at, other) in schedule.sorted(by: { $0.at < $1.at }) {
            pop.model.now = EngineInstant(nanoseconds: (Int64(at) + 10) * 1_000_000_000)
            if let other {
                let kind = try PoolModel.kind(1 + other, 0, mebibytes: 140, usesSpares: false)
                let other = CapacityRequest(kind, coldStart: .milliseconds(200), roundTrip: .milliseconds(30))
                pop.run(other, run: .milliseconds(10), keep: true)
            } else {
                pop.forward(request, run: situation.runThere)
            }
        }
        if situation.runHere != Situation().runHere || situation.runThere != Situation().runThere {
            for _ in 0..<12 { pop.run(request, run: situation.runHere, keep: false) }
        }
        pop.model.now = EngineInstant(nanoseconds: (Int64(end) + 10) * 1_000_000_000)
        request.permission = CapacityPermission(mayGrow: situation.mayGrow)
        return pop.decide(request)
    }

    @Test func `PLACE-06 a function seen for the first times is forwarded whatever is free, and kept once it is common`() throws {
        var pop = try Pop(Situation())
        let request = CapacityRequest(
            try PoolModel.kind(usesSpares: false), coldStart: .milliseconds(5), roundTrip: .milliseconds(30))
        var reasons: [DecisionReason] = []
        for _ in 0..<40 {
            pop.model.now = pop.model.now + .seconds(5)
            let reason = pop.decide(request)
            reasons.append(reason)
            if reason == .frequent || reason == .warm { pop.run(request, run: .milliseconds(10), keep: true) }
        }
        #expect(reasons.prefix(3).allSatisfy { $0 == .uncommon })
        #expect(reasons[3] == .frequent)
        // Nothing flaps: what is kept stays.
        #expect(reasons.dropFirst(4).allSatisfy { $0 == .warm })
    }

    @Test func `PLACE-08 a long run is not too dear where its account has memory of its own`() throws {
        // Ten minutes of 128 MiB at the price of an empty node are dearer than the way of 30 ms, but not where it is nobody else's.
        func reason(_ permission: CapacityPermission, isTaken: Bool = false) throws -> DecisionReason {
            var pop = try Pop(Situation())
            pop.model.take(
                try pop.model.pool.configure(.fixed("gold"), SubPoolSettings(memory: .mebibytes(256)), now: pop.model.now))
            var request = CapacityRequest(
                try PoolModel.kind(usesSpares: false), permission: permission, coldStart: .milliseconds(5), roundTrip: .milliseconds(30))
            for _ in 0..<6 {
                pop.forward(request, run: .seconds(600))
                pop.model.now = pop.model.now + .seconds(600)
            }
            if isTaken {
                request.permission = Self.gold(.fixed)
                for _ in 0..<2 { pop.model.lease(request) }
                request.permission = permission
            }
            return pop.decide(request)
        }
        #expect(try reason(.standard) == .profile)
        #expect(try reason(Self.gold(.general, .fixed)) == .frequent)
        #expect(try reason(Self.gold(.general, .fixed), isTaken: true) == .profile)
        #expect(try reason(Self.gold(.fixed)) == .frequent)
        #expect(try reason(Self.gold(.fixed), isTaken: true) == .noCapacity, "it may take nothing that anybody pays for")
    }

    @Test func `POOL-11 nobody gives way in common memory to a call that may not take it`() throws {
        var pop = try Pop(Situation())
        pop.model.take(try pop.model.pool.configure(.fixed("gold"), SubPoolSettings(memory: .mebibytes(256)), now: pop.model.now))
        let other = CapacityRequest(
            try PoolModel.kind(1, 0, mebibytes: 744, usesSpares: false), coldStart: .milliseconds(5), roundTrip: .milliseconds(30))
        pop.run(other, run: .milliseconds(10), keep: true)
        let own = CapacityRequest(
            try PoolModel.kind(usesSpares: false), permission: Self.gold(.fixed), coldStart: .milliseconds(5),
            roundTrip: .milliseconds(30), weight: PlacementRule.Latency.high.weight)
        for _ in 0..<20 {
            pop.model.now = pop.model.now + .seconds(1)
            pop.forward(own, run: .milliseconds(10))
        }
        #expect(pop.decide(own) == .frequent)
        #expect(pop.model.pool.hasWarm(other.kind))
    }

    private static func gold(_ kinds: SubPoolID.Kind...) -> CapacityPermission {
        CapacityPermission(kinds: Set(kinds), named: ["gold"])
    }

    @Test func `PLACE-05 a common function is forwarded while all memory is busy and runs here again when it is not`() throws {
        var pop = try Pop(Situation())
        let request = CapacityRequest(
            try PoolModel.kind(mebibytes: 800, usesSpares: false), coldStart: .milliseconds(5), roundTrip: .milliseconds(30))
        for _ in 0..<4 {
            pop.model.now = pop.model.now + .seconds(5)
            if pop.decide(request) == .frequent { pop.run(request, run: .milliseconds(10), keep: true) }
        }
        pop.model.lease(request)
        #expect(pop.decide(request) == .noCapacity)
        pop.model.releaseAll()
        #expect(pop.decide(request) == .warm)
    }
}
