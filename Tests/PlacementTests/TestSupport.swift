import EngineCore

@testable import Placement

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): small, and reproducible from its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Two fixed seeds and a fresh one. To repeat a failure, put the printed seed here.
let seeds: [UInt64] = [1, 2, .random(in: .min ... .max)]

func function(_ number: Int) throws -> FunctionKey {
    struct NoAccount: Error {}
    guard let account = AccountID("000000000001") else { throw NoAccount() }
    return FunctionKey(account: account, region: "eu-central-1", name: "f\(number)")
}

func seconds(_ seconds: Double) -> EngineInstant { EngineInstant(nanoseconds: Int64(seconds * 1e9)) }

extension PlacementInputs {
    /// An idle POP with two regions in reach and a client's call of a never-seen small function.
    static let rareCallAtIdlePOP = PlacementInputs(
        role: .pop, origin: .client, hasWarmContainer: false, worth: .uncommon, functionMemory: .mebibytes(128),
        freeMemory: .mebibytes(1024), freeSlots: 8, hasRegions: true, reachableRegions: ["near", "far"])

    func with(_ change: (inout PlacementInputs) -> Void) -> PlacementInputs {
        var copy = self
        change(&copy)
        return copy
    }
}
