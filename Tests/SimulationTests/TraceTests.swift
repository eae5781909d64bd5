import Foundation
import Placement
import Simulation
import Testing

struct TraceTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("wayside-trace-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private var path: String { folder.appendingPathComponent("trace").path }

    private func example() -> Trace {
        var trace = Trace(
            arrivals: [0, 1.5, 2], functions: [0, 1, 0], durations: [0.1, 0.2, 0.1],
            costs: [
                Trace.Costs(memory: 128, coldStart: 0.2, roundTrip: 0.03), Trace.Costs(memory: 64.5, coldStart: 0.005, roundTrip: 0.1),
            ])
        trace.spareStarts = [0.01, 0.002]
        trace.accounts = [7, 7]
        trace.names = ["one", "two"]
        trace.actual = Trace.Actual(added: [0.21, 0.1, 0.001], fates: [.zygote, .forwarded, .warm])
        return trace
    }

    @Test func `a trace comes back as it was written`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let trace = example()
        try trace.write(path: path)
        let read = try Trace(path: path, coldStart: 9, roundTrip: 9)
        #expect(read.arrivals == trace.arrivals)
        #expect(read.functions == trace.functions)
        #expect(read.durations == trace.durations)
        #expect(read.costs == trace.costs)
        #expect(read.spareStarts == trace.spareStarts)
        #expect(read.accounts == trace.accounts)
        #expect(read.names == trace.names)
        #expect(read.actual?.added == trace.actual?.added)
        #expect(read.actual?.fates == trace.actual?.fates)
    }

    @Test func `a trace that is cut short, out of order or of no function is refused with the reason`() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(throws: TraceError.self) { try Trace(path: path, coldStart: 1, roundTrip: 1) }
        try example().write(path: path)
        let file = URL(fileURLWithPath: path + ".bin")
        try Data(contentsOf: file).dropLast().write(to: file)
        #expect { try Trace(path: path, coldStart: 1, roundTrip: 1) } throws: { "\($0)".contains("21 each") }
        var disordered = example()
        disordered.arrivals = [2, 1, 0]
        try disordered.write(path: path)
        #expect { try Trace(path: path, coldStart: 1, roundTrip: 1) } throws: { "\($0)".contains("out of order") }
        var strange = example()
        strange.functions = [0, 5, 0]
        try strange.write(path: path)
        #expect { try Trace(path: path, coldStart: 1, roundTrip: 1) } throws: { "\($0)".contains("names function 5 of 2") }
    }

    @Test func `a recording is held against its replay`() throws {
        // As the node did: one start and one warm call of each function, in memory that holds both.
        let costs = Trace.Costs(memory: 100, coldStart: 0.2, roundTrip: 0.03)
        var trace = Trace(
            arrivals: [0, 1, 10, 11], functions: [0, 1, 0, 1], durations: [0.1, 0.1, 0.1, 0.1], costs: [costs, costs])
        #expect(ReplayComparison(trace, Replay(trace, capacity: 200).run(.leastRecentlyUsed), warmUp: 0) == nil)
        trace.actual = Trace.Actual(added: [0.21, 0.21, 0.001, 0.001], fates: [.boot, .zygote, .warm, .warm])
        func compared(_ capacity: Double) -> ReplayComparison? {
            ReplayComparison(trace, Replay(trace, capacity: capacity, hasRegions: false).run(.leastRecentlyUsed), warmUp: 0)
        }
        let same = try #require(compared(200))
        #expect(same.recorded.coldPart == 0.5)
        #expect(same.simulated.coldPart == 0.5)
        #expect(abs(same.recorded.meanAdded - 0.1055) < 1e-6)
        #expect(abs(same.simulated.meanAdded - 0.1) < 1e-9)
        // In a smaller node than it was all would have been cold: the difference is seen.
        let other = try #require(compared(100))
        #expect(other.simulated.coldPart == 1)
    }
}
