internal import Foundation
public import Placement

/// Calls in the order of their arrival, and what is known about their functions.
public struct Trace: Sendable {
    /// When each call arrives, in seconds since the trace began; ascending.
    public var arrivals: [Double]
    /// Which function each call is of.
    public var functions: [Int32]
    /// How long each call runs, in seconds.
    public var durations: [Float]
    /// Of each function.
    public var costs: [Costs]
    /// Seconds a start on an instance of the warming pool takes, of each function; empty where the trace does not say.
    public var spareStarts: [Double] = []
    /// Which functions are of one account: its number, of each function. Empty: each has its own.
    public var accounts: [Int32] = []
    /// What the functions are called; empty where they were left out.
    public var names: [String] = []
    /// How the calls fared where they were recorded; `nil` for traces that are not recordings of a node.
    public var actual: Actual?

    /// How each call fared on the node where it was recorded.
    public struct Actual: Sendable {
        /// Seconds from arrival to answer that were not the handler's.
        public var added: [Float]
        public var fates: [Fate]

        public init(added: [Float], fates: [Fate]) {
            self.added = added
            self.fates = fates
        }
    }

    /// How a call got its place on the node. The same numbers as the node's own log of arrivals.
    public enum Fate: UInt8, Sendable { case warm, container, instance, zygote, boot, forwarded, refused }

    /// What is known of one function: `mem_mb`, `cold_s` and `rtt_s` of the file.
    public typealias Costs = CapacityMarket.Costs

    /// - Parameters:
    ///   - memory: mebibytes one container holds.
    ///   - coldStart: seconds from nothing to the function's first call.
    ///   - roundTrip: seconds to its region and back.
    public static func costs(memory: Double, coldStart: Double, roundTrip: Double) -> Costs {
        Costs(memory: memory, coldStart: coldStart, roundTrip: roundTrip)
    }

    public init(arrivals: [Double], functions: [Int32], durations: [Float], costs: [Costs]) {
        self.arrivals = arrivals
        self.functions = functions
        self.durations = durations
        self.costs = costs
    }

    public var count: Int { arrivals.count }

    /// Calls in one trace. Reached: the trace is refused.
    public static let callsMax = 1 << 30

    /// Reads `<path>.json` and `<path>.bin`.
    ///
    ///     .json   {"n": calls, "mem_mb": [of each function], "cold_s": […], "rtt_s": […], "spare_s": […], "account": […],
    ///              "names": […], "actual": true}; all but n and mem_mb may be missing
    ///     .bin    little-endian: n × float64 arrival in seconds, n × uint32 function, n × float32 duration in seconds;
    ///             and where "actual" is true, n × float32 added seconds, n × uint8 fate
    ///
    /// - Parameters:
    ///   - coldStart: for all functions, in seconds, where the file has none.
    ///   - roundTrip: likewise.
    /// - Throws: ``TraceError`` when a file is missing, damaged or inconsistent.
    public init(path: String, coldStart: Double, roundTrip: Double) throws(TraceError) {
        let header: TraceHeader
        let body: Data
        do {
            header = try JSONDecoder().decode(TraceHeader.self, from: Data(contentsOf: URL(fileURLWithPath: path + ".json")))
            body = try Data(contentsOf: URL(fileURLWithPath: path + ".bin"))
        } catch {
            let missing = [".json", ".bin"].filter { !FileManager.default.isReadableFile(atPath: path + $0) }.map { path + $0 }
            throw TraceError(
                missing.isEmpty
                    ? "\(path).json is not the description of a trace; see the form in Sources/Simulation/Trace.swift"
                    : "the trace \(path) cannot be read: there is no readable \(missing.joined(separator: " and no "))")
        }
        let count = header.n
        let functions = header.mem_mb.count
        let width = header.actual == true ? 21 : 16
        guard count > 0, count <= Self.callsMax, body.count == count * width else {
            throw TraceError(
                "\(path).bin has \(body.count) bytes; \(count) calls take \(width) each, and a trace has 1 to \(Self.callsMax)")
        }
        let columns = [header.cold_s?.count, header.rtt_s?.count, header.spare_s?.count, header.account?.count, header.names?.count]
        guard columns.allSatisfy({ $0 == nil || $0 == functions }) else {
            throw TraceError("\(path).json: mem_mb, cold_s, rtt_s, spare_s, account and names must have one value to each function")
        }
        arrivals = Self.column(body, at: 0, count)
        self.functions = (Self.column(body, at: count * 8, count) as [UInt32]).map { Int32(truncatingIfNeeded: $0) }
        durations = Self.column(body, at: count * 12, count)
        costs = (0..<functions).map { function in
            Costs(
                memory: header.mem_mb[function], coldStart: header.cold_s?[function] ?? coldStart,
                roundTrip: header.rtt_s?[function] ?? roundTrip)
        }
        spareStarts = header.spare_s ?? []
        accounts = header.account ?? []
        names = header.names ?? []
        if header.actual == true {
            let fates = (Self.column(body, at: count * 20, count) as [UInt8]).compactMap(Fate.init)
            guard fates.count == count else { throw TraceError("\(path).bin: a call's fate is none of 0 to 6") }
            actual = Actual(added: Self.column(body, at: count * 16, count), fates: fates)
        }
        try check(path)
    }

    private func check(_ path: String) throws(TraceError) {
        for (function, costs) in costs.enumerated() {
            let day = 0.0..<86_400
            guard costs.memory > 0, costs.memory < 1e9, day.contains(costs.coldStart), day.contains(costs.roundTrip) else {
                throw TraceError("\(path).json: function \(function) needs mem_mb above 0, and cold_s and rtt_s from 0 to a day")
            }
        }
        guard accounts.allSatisfy({ $0 >= 0 }) else { throw TraceError("\(path).json: account is a number from 0") }
        guard spareStarts.allSatisfy({ (0.0..<86_400).contains($0) }) else { throw TraceError("\(path).json: spare_s is from 0 to a day") }
        for call in 0..<count {
            guard functions[call] >= 0, Int(functions[call]) < costs.count else {
                throw TraceError("\(path).bin: call \(call) names function \(functions[call]) of \(costs.count)")
            }
            let isInOrder = call == 0 || arrivals[call] >= arrivals[call - 1]
            guard isInOrder, (0..<1e9).contains(arrivals[call]), (0..<86_400).contains(durations[call]) else {
                throw TraceError("\(path).bin: call \(call) is out of order, begins before 0 or runs for more than a day")
            }
        }
        guard actual?.added.allSatisfy({ (0..<86_400).contains($0) }) != false else {
            throw TraceError("\(path).bin: what was added to a call is not from 0 to a day")
        }
    }

    private static func column<Element>(_ data: Data, at offset: Int, _ count: Int) -> [Element] {
        [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
            // SAFETY: the caller has checked the length; Element is a number without padding, and the host is little-endian.
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            data.copyBytes(to: bytes, from: data.startIndex + offset..<data.startIndex + offset + bytes.count)
            initialized = count
        }
    }
}

/// Why a trace cannot be replayed, and what to do about it.
public struct TraceError: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
