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

    /// What is known of one function: `mem_mb`, `cold_s` and `rtt_s` of the file.
    public typealias Costs = CapacityMarket.Costs

    public init(arrivals: [Double], functions: [Int32], durations: [Float], costs: [Costs]) {
        self.arrivals = arrivals
        self.functions = functions
        self.durations = durations
        self.costs = costs
    }

    public var count: Int { arrivals.count }

    private struct Header: Decodable {
        var n: Int
        var mem_mb: [Double]
        var cold_s: [Double]?
        var rtt_s: [Double]?
    }

    /// Calls in one trace. Reached: the trace is refused.
    public static let callsMax = 1 << 30

    /// Reads `<path>.json` and `<path>.bin`.
    ///
    ///     .json   {"n": calls, "mem_mb": [of each function], "cold_s": […], "rtt_s": […]}
    ///     .bin    little-endian: n × float64 arrival in seconds, n × uint32 function, n × float32 duration in seconds
    ///
    /// - Parameters:
    ///   - coldStart: for all functions, in seconds, where the file has none.
    ///   - roundTrip: likewise.
    /// - Throws: ``TraceError`` when a file is missing, damaged or inconsistent.
    public init(path: String, coldStart: Double, roundTrip: Double) throws(TraceError) {
        let header: Header
        let body: Data
        do {
            header = try JSONDecoder().decode(Header.self, from: Data(contentsOf: URL(fileURLWithPath: path + ".json")))
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
        guard count > 0, count <= Self.callsMax, body.count == count * 16 else {
            throw TraceError("\(path).bin has \(body.count) bytes; \(count) calls take 16 each, and a trace has 1 to \(Self.callsMax)")
        }
        guard (header.cold_s?.count ?? functions) == functions, (header.rtt_s?.count ?? functions) == functions else {
            throw TraceError("\(path).json: mem_mb, cold_s and rtt_s must have one number to each function")
        }
        arrivals = Self.column(body, at: 0, count)
        self.functions = (Self.column(body, at: count * 8, count) as [UInt32]).map { Int32(truncatingIfNeeded: $0) }
        durations = Self.column(body, at: count * 12, count)
        costs = (0..<functions).map { function in
            Costs(
                memory: header.mem_mb[function], coldStart: header.cold_s?[function] ?? coldStart,
                roundTrip: header.rtt_s?[function] ?? roundTrip)
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
        for call in 0..<count {
            guard functions[call] >= 0, Int(functions[call]) < costs.count else {
                throw TraceError("\(path).bin: call \(call) names function \(functions[call]) of \(costs.count)")
            }
            guard arrivals[call].isFinite, (0..<86_400).contains(durations[call]), call == 0 || arrivals[call] >= arrivals[call - 1] else {
                throw TraceError("\(path).bin: call \(call) is out of order, or its run time is not from 0 to a day")
            }
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
