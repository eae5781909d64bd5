internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Simulation

/// What a pool of another size, or another policy, would have done with the calls of a trace.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Replays a trace in virtual time through the capacity market, and through other policies to compare.",
        discussion: """
            The market is the policy of hit-density pricing; nodes themselves still place by frequency. \
            It simulates one node with so much memory for containers before a region that is always warm. Starts take what the trace says; \
            processors are no limit. Added latency is what a call waits beyond its own run time. ADDED counts each call once, BY FUNCTION \
            each function once, so that rare ones show. STARTS is the number of processors that starting keeps busy.
            """)

    @Option(help: "PATH of a trace: PATH.json and PATH.bin.")
    var trace: String
    @Option(help: "Memory for containers in GiB; several separated by commas.")
    var memory = "1,2,4,8,16"
    @Option(help: "Policies separated by commas: \(Replay.Policy.named.map(\.name).joined(separator: ", ")).")
    var policy = "market,lru,greedy-dual"
    @Option(help: "Seconds of the trace that warm the node and are not measured.")
    var warmUp = 0.0
    @Option(help: "Seconds a cold start takes, where the trace does not say.")
    var coldStart = 0.2
    @Option(help: "Seconds to a region and back, where the trace does not say.")
    var roundTrip = 0.03
    @Flag(help: "There is no region: every call runs here or is dropped.")
    var noRegions = false
    @Option(help: "The seed of the policy's sampler.")
    var seed: UInt64 = 1
    @Option(help: "Writes the sweep as a picture (SVG) to this file.")
    var plot: String?
    @Option(help: "table for people, json for programs.")
    var output: OutputFormat = .table

    func run() async throws {
        let sizes = try memory.split(separator: ",").map { text in
            guard let size = Double(text), size > 0, size.isFinite else {
                throw ValidationError("--memory: \(text) is no size in GiB; write for example 1,4,16")
            }
            return size
        }
        let policies = try policy.split(separator: ",").map { text in
            guard let policy = Replay.Policy(name: String(text)) else {
                throw ValidationError("--policy: there is no \(text); known are \(Replay.Policy.named.map(\.name).joined(separator: ", "))")
            }
            return policy
        }
        guard warmUp >= 0, coldStart >= 0, roundTrip >= 0 else { throw ValidationError("times are seconds, 0 or more") }
        let calls: Trace
        do { calls = try Trace(path: trace, coldStart: coldStart, roundTrip: roundTrip) } catch {
            throw CommandFailure(error.description)
        }
        if let last = calls.arrivals.last, warmUp >= last {
            throw ValidationError("--warm-up: the trace is over after \(Int(last)) seconds")
        }
        try report(sweep(calls, policies, sizes))
    }

    private func sweep(_ calls: Trace, _ policies: [Replay.Policy], _ sizes: [Double]) -> Sweep {
        var sweep = Sweep()
        for policy in policies {
            for size in sizes {
                if isatty(STDERR_FILENO) == 1 { Terminal.note("\(policy.name), \(size) GiB …") }
                let replay = Replay(calls, capacity: size * 1024, warmUp: warmUp, hasRegions: !noRegions, seed: seed)
                sweep.add(policy, gigabytes: size, replay.run(policy))
            }
        }
        return sweep
    }

    private func report(_ sweep: Sweep) throws {
        if let plot {
            let svg = SweepPlot(sweep, title: "\(URL(fileURLWithPath: trace).lastPathComponent): added latency by pool size").svg
            guard FileManager.default.createFile(atPath: plot, contents: Data(svg.utf8)) else {
                throw CommandFailure("the picture cannot be written to \(plot); give --plot a file in a folder that exists")
            }
        }
        if output == .json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            print(String(decoding: try encoder.encode(sweep.points), as: UTF8.self))
            return
        }
        var table = Table(header: [
            "POLICY", "GIB", "WARM %", "COLD %", "FORWARD %", "DROP %", "ADDED MS", "P99 MS", "BY FUNCTION", "IDLE GIB", "STARTS",
        ])
        for policy in sweep.policies {
            let knee = sweep.knee(of: policy)
            for point in sweep.points(of: policy) {
                let result = point.result
                table.rows.append(
                    [policy, String(format: "%g", point.gigabytes) + (point == knee ? " *" : "")]
                        + [result.hitPart, result.coldPart, result.forwardedPart, result.droppedPart].map { Self.number($0 * 100) }
                        + [result.meanLatency * 1000, result.latency99 * 1000, result.meanOverFunctions * 1000].map { Self.number($0) }
                        + [result.idleGigabytes, result.startProcessors].map { Self.number($0) })
            }
        }
        print(table.render())
        print("* the knee: beyond this size more memory brings little.")
    }

    private static func number(_ value: Double) -> String {
        String(format: value >= 100 ? "%.0f" : value >= 1 ? "%.2f" : "%.3f", value)
    }
}
