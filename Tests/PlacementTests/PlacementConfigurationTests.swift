import EngineCore
import Testing

@testable import Placement

struct PlacementConfigurationTests {
    private func code(_ make: () throws -> PlacementConfiguration) -> PlacementConfigurationError.Code? {
        #expect(throws: PlacementConfigurationError.self) { try make() }?.code
    }

    @Test func `PLACE-06 thresholds that would flap or never be left are refused`() {
        #expect(
            code { try PlacementConfiguration(frequentCallsPerHalfLife: 2.5, uncommonCallsPerHalfLife: 2) } == .thresholds)
        #expect(code { try PlacementConfiguration(uncommonCallsPerHalfLife: 0) } == .thresholds)
        #expect(code { try PlacementConfiguration(uncommonCallsPerHalfLife: .nan) } == .thresholds)
        #expect(code { try PlacementConfiguration(frequentCallsPerHalfLife: .infinity) } == .thresholds)
        #expect(code { try PlacementConfiguration(frequencyHalfLife: .milliseconds(999)) } == .halfLife)
        #expect(code { try PlacementConfiguration(frequencyEntryLimit: 0) } == .entryLimit)
    }

    @Test func `PLACE-08 PLACE-18 limits that admit nothing are refused`() {
        #expect(code { try PlacementConfiguration(largestFunctionMemory: .zero) } == .memory)
        #expect(code { try PlacementConfiguration(hopLimit: 0) } == .hopLimit)
    }
}
