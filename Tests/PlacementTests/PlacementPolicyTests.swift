import EngineCore
import Testing

@testable import Placement

struct PlacementPolicyTests {
    let policy: PlacementPolicy
    let rare = PlacementInputs.rareCallAtIdlePOP
    let frequent = PlacementInputs.rareCallAtIdlePOP.with { $0.worth = .start }

    init() throws {
        policy = PlacementPolicy(
            configuration: try PlacementConfiguration(longestRun: .seconds(10), largestFunctionMemory: .mebibytes(512)))
    }

    private func run(_ reason: RunPlan.Reason) -> PlacementDecision { .run(RunPlan(reason: reason)) }
    private func forward(_ reason: ForwardPlan.Reason, to region: String) -> PlacementDecision {
        .forward(ForwardPlan(reason: reason, region: region))
    }

    @Test func `PLACE-06 a rare task is forwarded although slots are free`() {
        #expect(policy.decide(rare) == forward(.uncommon, to: "near"))
        #expect(policy.decide(frequent) == run(.frequent))
    }

    @Test func `PLACE-06 a never-seen task is forwarded until its calls have made it frequent`() throws {
        var frequency = DecayedFrequency(configuration: policy.configuration)
        let key = try function(0)
        var reasons: [DecisionReason] = []
        for call in 0..<20 {
            let now = seconds(Double(call))
            frequency.record(key, at: now)
            reasons.append(policy.decide(rare.with { $0.worth = frequency.isFrequent(key, at: now) ? .start : .uncommon }).reason)
        }
        let firstLocal = try #require(reasons.firstIndex(of: .frequent))
        #expect(firstLocal == 7, "8 calls × ln 2 are the first to exceed 5 calls per half-life")
        #expect(reasons[..<firstLocal].allSatisfy { $0 == .uncommon })
        #expect(reasons[firstLocal...].allSatisfy { $0 == .frequent })
    }

    @Test func `PLACE-05 a frequent task is forwarded while the POP is full and local once a slot is free`() {
        #expect(policy.decide(frequent.with { $0.freeSlots = 0 }) == forward(.noCapacity, to: "near"))
        #expect(policy.decide(frequent.with { $0.freeMemory = .mebibytes(127) }) == forward(.noCapacity, to: "near"))
        #expect(policy.decide(frequent.with { $0.freeMemory = .mebibytes(128); $0.freeSlots = 1 }) == run(.frequent))
    }

    @Test func `PLACE-09 a task whose code is not here is forwarded, and refused where it cannot be`() {
        let codeless = frequent.with { $0.isCodeHere = false }
        #expect(policy.decide(codeless) == forward(.codeNotCurrent, to: "near"))
        #expect(policy.decide(codeless.with { $0.hasWarmContainer = true }) == run(.warm))
        #expect(policy.decide(codeless.with { $0.worth = .uncommon }) == forward(.uncommon, to: "near"))
        #expect(policy.decide(codeless.with { $0.freeSlots = 0 }) == forward(.codeNotCurrent, to: "near"))
        #expect(policy.decide(codeless.with { $0.reachableRegions = [] }) == .refuse(.codeNotCurrent))
        #expect(policy.decide(codeless.with { $0.excludedRegions = Set($0.reachableRegions) }) == .refuse(.codeNotCurrent))
    }

    @Test func `PLACE-08 a task over the largest function memory is forwarded however frequent it is`() {
        #expect(
            policy.decide(frequent.with { $0.functionMemory = .mebibytes(513) }) == forward(.profile, to: "near"))
        #expect(policy.decide(frequent.with { $0.functionMemory = .mebibytes(512) }) == run(.frequent))
    }

    @Test func `PLACE-04 the reason that lasts longest is named when several apply`() {
        let all = rare.with { $0.functionMemory = .mebibytes(2048); $0.freeSlots = 0 }
        #expect(policy.decide(all).reason == .profile)
        #expect(policy.decide(all.with { $0.functionMemory = .mebibytes(128) }).reason == .uncommon)
        #expect(policy.decide(all.with { $0.functionMemory = .mebibytes(128); $0.worth = .start }).reason == .noCapacity)
    }

    @Test func `PLACE-04 an idle container is used even by a rare call at a full POP`() {
        let full = rare.with { $0.hasWarmContainer = true; $0.freeSlots = 0; $0.freeMemory = .zero }
        #expect(policy.decide(full) == run(.warm))
    }

    @Test func `PLACE-18 a forwarded call is never forwarded again`() {
        let arrived = rare.with { $0.origin = .peer(node: "pop-1", hops: 1) }
        for role in NodeRole.allCases {
            #expect(policy.decide(arrived.with { $0.role = role }) == run(.region))
            #expect(policy.decide(arrived.with { $0.role = role; $0.freeSlots = 0 }) == .refuse(.overloaded))
        }
        let nonsense = rare.with { $0.origin = .peer(node: "pop-1", hops: -3); $0.freeSlots = 0 }
        #expect(policy.decide(nonsense) == .refuse(.overloaded), "a peer's call counts as one hop at least")
    }

    @Test func `PLACE-18 a call over the hop limit is refused even if it could run`() {
        let looped = rare.with { $0.origin = .peer(node: "pop-1", hops: 2); $0.hasWarmContainer = true }
        #expect(policy.decide(looped) == .refuse(.hopLimit))
    }

    @Test func `PLACE-18 a region runs or refuses its own clients' calls`() {
        let region = rare.with { $0.role = .region }
        #expect(policy.decide(region) == run(.region))
        #expect(policy.decide(region.with { $0.freeMemory = .zero }) == .refuse(.overloaded))
    }

    @Test func `PLACE-16 a region that refused is passed over, then the call runs here, then it is refused`() {
        var call = rare
        #expect(policy.decide(call) == forward(.uncommon, to: "near"))
        call.excludedRegions.insert("near")
        #expect(policy.decide(call) == forward(.uncommon, to: "far"))
        call.excludedRegions.insert("far")
        #expect(policy.decide(call) == run(.regionsDeclined))
        call.freeSlots = 0
        #expect(policy.decide(call) == .refuse(.overloaded))
    }

    @Test func `PLACE-22 with no region in reach a rare task runs here if it fits and is marked`() {
        let outage = rare.with { $0.reachableRegions = [] }
        #expect(policy.decide(outage) == run(.regionOutage))
        #expect(policy.decide(outage.with { $0.freeSlots = 0 }) == .refuse(.overloaded))
        #expect(policy.decide(outage.with { $0.functionMemory = .mebibytes(513) }) == .refuse(.overloaded))
        #expect(policy.decide(outage.with { $0.worth = .start }) == run(.frequent), "it would not have been forwarded")
    }

    @Test func `PLACE-04 a node without regions runs what fits and says why`() {
        let alone = rare.with { $0.hasRegions = false; $0.reachableRegions = [] }
        #expect(policy.decide(alone) == run(.noRegionConfigured))
        #expect(policy.decide(alone.with { $0.freeSlots = 0 }) == .refuse(.overloaded))
    }

    /// One input, changed alone from a base, and the reasons before and after.
    struct Flip: Sendable, CustomTestStringConvertible {
        let input: String
        let base: PlacementInputs
        let before: DecisionReason
        let after: DecisionReason
        let change: @Sendable (inout PlacementInputs) -> Void
        var testDescription: String { "\(input): \(before.rawValue) → \(after.rawValue)" }

        static let rare = PlacementInputs.rareCallAtIdlePOP
        static let frequent = rare.with { $0.worth = .start }
        static let outage = rare.with { $0.reachableRegions = [] }
        static let all = [
            Flip(input: "role", base: rare, before: .uncommon, after: .region) { $0.role = .region },
            Flip(input: "origin", base: rare, before: .uncommon, after: .region) {
                $0.origin = .peer(node: "pop-1", hops: 1)
            },
            Flip(input: "hops", base: rare, before: .uncommon, after: .hopLimit) {
                $0.origin = .peer(node: "pop-1", hops: 2)
            },
            Flip(input: "warm container", base: rare, before: .uncommon, after: .warm) { $0.hasWarmContainer = true },
            Flip(input: "frequency", base: rare, before: .uncommon, after: .frequent) { $0.worth = .start },
            Flip(input: "function memory", base: frequent, before: .frequent, after: .profile) {
                $0.functionMemory = .mebibytes(513)
            },
            Flip(input: "free memory", base: frequent, before: .frequent, after: .noCapacity) { $0.freeMemory = .zero },
            Flip(input: "free slots", base: frequent, before: .frequent, after: .noCapacity) { $0.freeSlots = 0 },
            Flip(input: "worth of a start", base: frequent, before: .frequent, after: .startedBehind) { $0.worth = .startBehind },
            Flip(input: "worth of those who would go", base: frequent, before: .frequent, after: .noCapacity) { $0.worth = .noRoom },
            Flip(input: "worth of the memory", base: frequent, before: .frequent, after: .profile) { $0.worth = .tooLong },
            Flip(input: "run time", base: frequent, before: .frequent, after: .profile) { $0.run = 11 },
            Flip(input: "code", base: frequent, before: .frequent, after: .codeNotCurrent) { $0.isCodeHere = false },
            Flip(input: "affinity", base: rare, before: .uncommon, after: .affinity) { $0.hasAffinity = true },
            Flip(input: "permission", base: frequent, before: .frequent, after: .noPermission) { $0.isPermitted = false },
            Flip(input: "terms", base: frequent.with { $0.freeSlots = 0 }, before: .noCapacity, after: .frequent) { $0.hasTerms = true },
            Flip(input: "own containers or none", base: rare, before: .uncommon, after: .frequent) { $0.keepsToDedicated = true },
            Flip(input: "own containers or none, whatever a run is worth", base: frequent.with { $0.worth = .tooLong }, before: .profile,
                after: .frequent) { $0.keepsToDedicated = true },
            Flip(input: "own containers or none, whatever may be added", base: frequent.with { $0.isPermitted = false },
                before: .noPermission, after: .frequent) { $0.keepsToDedicated = true },
            Flip(input: "own containers or none, under the operator's limit", base: frequent.with { $0.keepsToDedicated = true },
                before: .frequent, after: .profile) { $0.run = 11 },
            Flip(input: "regions configured", base: outage, before: .regionOutage, after: .noRegionConfigured) {
                $0.hasRegions = false
            },
            Flip(input: "reachable regions", base: rare, before: .uncommon, after: .regionOutage) {
                $0.reachableRegions = []
            },
            Flip(input: "excluded regions", base: rare, before: .uncommon, after: .regionsDeclined) {
                $0.excludedRegions = ["near", "far"]
            },
        ]
    }

    @Test(arguments: Flip.all) func `PLACE-04 flipping each input alone flips a decision`(_ flip: Flip) {
        #expect(policy.decide(flip.base).reason == flip.before)
        #expect(policy.decide(flip.base.with(flip.change)).reason == flip.after)
    }

    @Test(arguments: seeds)
    func `PLACE-18 PLACE-22 any inputs give a decision that can be carried out`(_ seed: UInt64) {
        print("PlacementPolicyTests seed \(seed)")
        var random = SeededGenerator(seed: seed)
        var seen: Set<DecisionReason> = []
        for _ in 0..<20_000 {
            let inputs = Self.anyInputs(using: &random)
            let decision = policy.decide(inputs)
            seen.insert(decision.reason)
            let fits = inputs.freeSlots > 0 && inputs.functionMemory <= min(inputs.freeMemory, .mebibytes(512))
            switch decision {
            case .run(let plan):
                #expect(decision.kind == .run)
                let isForThePool = inputs.origin == .client && (!inputs.isPermitted || inputs.hasTerms)
                switch plan.reason {
                case .warm: #expect(inputs.hasWarmContainer, "seed \(seed): \(inputs)")
                case .affinity: #expect(inputs.hasAffinity, "seed \(seed): \(inputs)")
                case .frequent where inputs.keepsToDedicated: break
                default: #expect(inputs.isCodeHere && (fits || isForThePool), "seed \(seed): \(inputs)")
                }
            case .forward(let plan):
                #expect(decision.kind == .forward)
                #expect(inputs.role == .pop && inputs.origin == .client, "seed \(seed): \(inputs)")
                #expect(inputs.reachableRegions.contains(plan.region), "seed \(seed): \(inputs)")
                #expect(!inputs.excludedRegions.contains(plan.region), "seed \(seed): \(inputs)")
            case .refuse(let reason):
                #expect(decision.kind == .refuse)
                let isStuck = (!inputs.hasWarmContainer || inputs.run ?? 0 > 10) && !fits
                let isWithoutCode = reason == .codeNotCurrent && !inputs.isCodeHere && (!inputs.hasWarmContainer || inputs.run ?? 0 > 10)
                #expect(reason == .hopLimit || isStuck || isWithoutCode, "seed \(seed): \(inputs)")
            }
        }
        #expect(seen == Set(DecisionReason.allCases).subtracting([.draining, .affinityElsewhere]), "seed \(seed): a reason never came up")
    }

    private static func anyInputs(using random: inout SeededGenerator) -> PlacementInputs {
        let names = ["near", "far", "farthest"]
        let memory = [0, 127, 128, 512, 513, 4096].map(ByteCount.mebibytes)
        let hasRegions = Int.random(in: 0..<4, using: &random) > 0
        return PlacementInputs(
            role: Int.random(in: 0..<3, using: &random) == 0 ? .region : .pop,
            origin: Bool.random(using: &random)
                ? .client : .peer(node: "pop-1", hops: .random(in: -1...3, using: &random)),
            hasWarmContainer: Int.random(in: 0..<4, using: &random) == 0, hasAffinity: Int.random(in: 0..<8, using: &random) == 0,
            worth: Worth.allCases.randomElement(using: &random) ?? .start, run: Bool.random(using: &random) ? nil : 20,
            isCodeHere: Int.random(in: 0..<4, using: &random) > 0,
            functionMemory: memory.randomElement(using: &random) ?? .zero,
            freeMemory: memory.randomElement(using: &random) ?? .zero, freeSlots: .random(in: 0...2, using: &random),
            isPermitted: Int.random(in: 0..<4, using: &random) > 0, hasTerms: Int.random(in: 0..<8, using: &random) == 0,
            keepsToDedicated: Int.random(in: 0..<8, using: &random) == 0,
            hasRegions: hasRegions,
            reachableRegions: hasRegions ? names.filter { _ in Bool.random(using: &random) } : [],
            excludedRegions: Set(names.filter { _ in Bool.random(using: &random) }))
    }
}
