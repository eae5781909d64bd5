internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Simulation

/// What a pool of another size, or another policy, would have done with the calls of a trace.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Asks what a change of the pool would do: replays a trace in virtual time.",
        discussion: """
            The node's own state machine and policies run over the trace: one node with so much memory for containers, before a region \
            that is always warm. Starts take what the trace says; processors are no limit. Record a node's own calls with `wayside \
            record`; with --compare such a recording is held against its replay.

            WARM% and COLD% are parts of all calls; SPARE% are the cold ones that found an instance of the warming pool, of which READY \
            were ready on average. MEAN, P50 and P99 are milliseconds added to a call's own run. HELD is GiB of containers and ready \
            instances, on average.

            With --bound, BOUND is a mean that no schedule can beat that does not start containers ahead of calls, even if it knew all \
            calls to come; /BOUND is MEAN as its multiple. A policy that starts ahead can be below 1.
            """)

    @Option(help: "PATH of a trace: PATH.json and PATH.bin.")
    var trace: String
    @Option(help: "Memory for containers in GiB; several separated by commas.")
    var memory = "1,2,4,8,16"
    @Option(help: "Policies separated by commas: \(Replay.Policy.named.map(\.name).joined(separator: ", ")).")
    var policy = "market,lru,greedy-dual"
    @OptionGroup(title: "The warming pool")
    var warming: SimulatedWarmingOptions
    @Option(help: "Seconds of the trace that warm the node and are not measured.")
    var warmUp = 0.0
    @Option(help: "Seconds a cold start takes, where the trace does not say.")
    var coldStart = 0.2
    @Option(help: "Seconds to a region and back, where the trace does not say.")
    var roundTrip = 0.03
    @Option(help: "Seconds that an idle container is kept. Default: 600 with the policy keep-alive, for ever with market and lru.")
    var keepAlive: Double?
    @Flag(help: "There is no region: every call runs here, waits, or is dropped.")
    var noRegions = false
    @Option(help: "Seconds that a call waits for room where there is no region.")
    var wait = 0.0
    @Option(help: "The seed of the policy's sampler.")
    var seed: UInt64 = 1
    @Flag(help: "Prints what a recording says of its calls beside what its replay says.")
    var compare = false
    @Flag(help: "Prints how far each mean is from the clairvoyant bound.")
    var bound = false
    @Option(help: "Writes the sweep as a picture (SVG) to this file.")
    var plot: String?
    @Option(help: "table for people, json for programs.")
    var output: OutputFormat = .table

    func run() async throws {
        let sizes = try memory.split(separator: ",").map { text in
            guard let size = Double(text), size > 0, size <= 1_048_576 else {
                throw ValidationError("--memory: \(text) is no size in GiB; write for example 1,4,16")
            }
            return size
        }
        let policies = try policy.split(separator: ",").map { text in
            guard let policy = Replay.Policy(name: String(text), keepAlive: keepAlive ?? 600) else {
                throw ValidationError("--policy: there is no \(text); known are \(Replay.Policy.named.map(\.name).joined(separator: ", "))")
            }
            return policy
        }
        guard !sizes.isEmpty, !policies.isEmpty else { throw ValidationError("--memory and --policy name at least one each") }
        let day = 0.0...86_400
        guard [coldStart, roundTrip, keepAlive ?? 0, wait].allSatisfy(day.contains), warmUp >= 0 else {
            throw ValidationError("times are seconds, from 0 to a day")
        }
        guard wait == 0 || noRegions else { throw ValidationError("--wait is for nodes without regions: give --no-regions as well") }
        let pool = try warming.pool()
        let calls: Trace
        do { calls = try Trace(path: Self.stem(trace), coldStart: coldStart, roundTrip: roundTrip) } catch {
            throw CommandFailure(error.description)
        }
        if let last = calls.arrivals.last, warmUp > 0, warmUp >= last {
            throw ValidationError("--warm-up: the trace is over after \(Int(last)) seconds")
        }
        if compare, calls.actual == nil {
            throw ValidationError("--compare: this trace does not say how its calls fared; those that `wayside record` writes do")
        }
        try report(calls, sweep(calls, policies, sizes, pool))
    }

    /// A trace is named without its ending; with it, that is meant as well.
    static func stem(_ path: String) -> String {
        for ending in [".json", ".bin"] where path.hasSuffix(ending) { return String(path.dropLast(ending.count)) }
        return path
    }

    private func sweep(_ calls: Trace, _ policies: [Replay.Policy], _ sizes: [Double], _ pool: Replay.WarmingPool?) -> Sweep {
        let clairvoyant = bound ? ClairvoyantBound(calls, warmUp: warmUp, hasRegions: !noRegions) : nil
        let bounds = sizes.map { clairvoyant?.mean(capacity: $0 * 1024) }
        var sweep = Sweep()
        for policy in policies {
            for (size, bound) in zip(sizes, bounds) {
                if isatty(STDERR_FILENO) == 1 { Terminal.note("\(policy.name), \(size) GiB …") }
                var replay = Replay(calls, capacity: size * 1024, warmUp: warmUp, hasRegions: !noRegions, seed: seed)
                replay.warmingPool = pool
                replay.waitMax = wait
                replay.keepAlive = keepAlive ?? .infinity
                sweep.add(policy, gigabytes: size, replay.run(policy), bound: bound)
            }
        }
        return sweep
    }

    private func report(_ calls: Trace, _ sweep: Sweep) throws {
        if let plot {
            let svg = SweepPlot(sweep, title: "\(URL(fileURLWithPath: trace).lastPathComponent): added latency by pool size").svg
            guard FileManager.default.createFile(atPath: plot, contents: Data(svg.utf8)) else {
                throw CommandFailure("the picture cannot be written to \(plot); give --plot a file in a folder that exists")
            }
        }
        let report = SimulationReport(sweep: sweep, comparisons: compare ? comparisons(calls, sweep) : [])
        print(output == .json ? try report.json() : report.text)
    }

    private func comparisons(_ calls: Trace, _ sweep: Sweep) -> [SimulationReport.Comparison] {
        sweep.points.compactMap { point in
            ReplayComparison(calls, point.result, warmUp: warmUp).map {
                SimulationReport.Comparison(policy: point.policy, gigabytes: point.gigabytes, comparison: $0)
            }
        }
    }
}

/// Instances that are kept ready in a simulated node.
struct SimulatedWarmingOptions: ParsableArguments {
    @Option(help: "Instances kept ready at least.")
    var floor = 0
    @Option(help: "Instances kept ready at most; between floor and ceiling demand decides. Default: the floor.")
    var ceiling: Int?
    @Option(help: "Mebibytes that a ready instance holds.")
    var spareMemory = 16.0
    @Option(help: "Seconds that booting an instance takes.")
    var boot = 0.5
    @Option(help: "Seconds of a start on a ready instance, where the trace does not say.")
    var spareStart = 0.005

    /// - Returns: `nil` when nothing is to be kept ready.
    func pool() throws -> Replay.WarmingPool? {
        let ceiling = ceiling ?? floor
        guard floor >= 0, ceiling >= floor, ceiling <= Replay.WarmingPool.ceilingMax else {
            throw ValidationError("--floor is 0 or more and not above --ceiling, which is at most \(Replay.WarmingPool.ceilingMax)")
        }
        guard spareMemory >= 0, spareMemory < 1e6, (0...3600.0).contains(boot), (0...3600.0).contains(spareStart) else {
            throw ValidationError("--spare-memory is MiB, --boot and --spare-start are seconds, at most an hour")
        }
        guard ceiling > 0 else { return nil }
        return Replay.WarmingPool(floor: floor, ceiling: ceiling, spareMemory: spareMemory, boot: boot, spareStart: spareStart)
    }
}
