import EngineCore

@testable import Placement

/// Reproducible from its seed.
typealias SeededGenerator = SplitMix

extension SplitMix {
    init(seed: UInt64) { self.init(state: seed) }
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
