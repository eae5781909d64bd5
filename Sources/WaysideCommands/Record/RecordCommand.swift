internal import ArgumentParser
internal import Foundation
internal import Simulation
internal import Telemetry

/// Writes the calls of a node as a trace that `wayside simulate` replays.
struct RecordCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "record",
        abstract: "Writes the node's calls as a trace, for `wayside simulate`.",
        discussion: """
            A node keeps a row of each of its last 262,144 calls: when, of which function, for how long, and how it fared; no event and no \
            answer. --last writes what of them is there, --for what comes from now on; Ctrl-C ends it early and writes what there is. \
            The trace is two files, PATH.json and PATH.bin. Functions are numbers in it unless --names is given.
            """)

    @OptionGroup var node: OperatorOptions
    @Option(name: .customLong("for"), help: "Record the calls of the time to come: 90s, 10m, 1h.")
    var duration: TimeArgument?
    @Option(help: "Write the calls of the time that has passed: 90s, 10m, 1h.")
    var last: TimeArgument?
    @Option(help: "PATH of the trace to write: PATH.json and PATH.bin.")
    var trace: String
    @Flag(help: "Write the functions' ARNs into the trace.")
    var names = false
    @Option(help: "Calls at most. Reached: recording ends, and says so.")
    var callsMax = 10_000_000

    /// Seconds between two questions to the node: at 100,000 calls a second its log holds 2.6.
    static let pause = 1.0

    func run() async throws {
        guard (duration == nil) != (last == nil) else { throw ValidationError("give --for or --last") }
        guard callsMax > 0, callsMax <= Trace.callsMax else { throw ValidationError("--calls-max is from 1 to \(Trace.callsMax)") }
        let client = ArrivalsClient(node: node.client())
        var recording = Recording(callsMax: callsMax)
        let began = Date().timeIntervalSince1970
        if let last {
            try await recording.fetch(from: client, since: began - Double(last.seconds))
        } else if let duration {
            try await recording.skip(with: client)
            let interruption = Interruption()
            var isOver = false
            while !isOver, !recording.isFull {
                let left = began + Double(duration.seconds) - Date().timeIntervalSince1970
                isOver = await interruption.pause(seconds: min(Self.pause, max(0, left))) || left <= Self.pause
                try await recording.fetch(from: client)
                Terminal.progress("\(recording.count) calls, \(max(0, Int(left))) s left")
            }
            Terminal.progress(nil)
        }
        try write(recording)
    }

    private func write(_ recording: Recording) throws {
        if recording.missed > 0 {
            Terminal.note("\(recording.missed) calls are not in it: the node forgot them before they were asked for")
        }
        if recording.leftOut > 0 { Terminal.note("\(recording.leftOut) calls are not in it: the node's log tells 10,000 functions apart") }
        if recording.isFull { Terminal.note("recording ended at \(callsMax) calls; --calls-max takes more") }
        guard let trace = recording.trace(names: names) else {
            throw CommandFailure("no call came in that time, so there is nothing to write")
        }
        let stem = SimulateCommand.stem(self.trace)
        do { try trace.write(path: stem) } catch { throw CommandFailure(error.description) }
        guard node.output == .json else {
            print("\(trace.count) calls of \(trace.costs.count) functions are in \(stem).json and \(stem).bin")
            print("See what another size would do: wayside simulate --trace \(stem)")
            return
        }
        let document = ["calls": trace.count, "functions": trace.costs.count, "missed": Int(clamping: recording.missed)]
        print(String(decoding: try JSONEncoder().encode(document), as: UTF8.self))
    }
}
