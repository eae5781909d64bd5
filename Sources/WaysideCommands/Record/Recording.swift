internal import Simulation
internal import Telemetry

/// What has been recorded of a node so far: rows and what is known of their functions.
struct Recording {
    /// Where a function was never seen to start, start on a ready instance, or be forwarded: what others took, else this. Seconds.
    static let coldStartDefault = 0.2
    static let roundTripDefault = 0.03

    let callsMax: Int
    private(set) var rows: [ArrivalLog.Row] = []
    private var functions: [UInt32: ArrivalLog.Function] = [:]
    private var next: UInt64 = 0
    private var leftOutBefore: UInt64?
    /// Rows that the node had forgotten when they were asked for.
    private(set) var missed: UInt64 = 0
    /// Rows that the node has left out since the beginning.
    private(set) var leftOut: UInt64 = 0

    init(callsMax: Int) { self.callsMax = callsMax }

    var count: Int { rows.count }
    var isFull: Bool { rows.count >= callsMax }

    /// Begins after what the node has now.
    mutating func skip(with client: ArrivalsClient) async throws {
        let answer = try await client.rows(from: .max, limit: 1)
        next = answer.next
        leftOutBefore = answer.leftOut
    }

    /// Takes what has come since the last time, in as many answers as it needs.
    mutating func fetch(from client: ArrivalsClient) async throws {
        while !isFull {
            let answer = try await client.rows(from: next)
            guard try take(answer) == ArrivalsClient.limit else { return }
        }
    }

    /// Takes what the node has of calls that arrived then or later.
    mutating func fetch(from client: ArrivalsClient, since epochSeconds: Double) async throws {
        let answer = try await client.rows(since: epochSeconds)
        if try take(answer) == ArrivalsClient.limit { try await fetch(from: client) }
        rows.removeAll { $0.arrival < epochSeconds }
    }

    /// - Returns: how many rows there were.
    private mutating func take(_ answer: ArrivalsClient.Answer) throws -> Int {
        guard let new = ArrivalLog.unpack([UInt8](answer.rows)) else {
            throw CommandFailure("The node's answer is not understood. Are program and node of the same version?")
        }
        rows += new.prefix(callsMax - rows.count)
        for function in answer.functions { functions[function.number] = function }
        next = answer.next
        missed += answer.missed
        let before = leftOutBefore ?? answer.leftOut
        leftOutBefore = before
        leftOut = answer.leftOut - min(before, answer.leftOut)
        return new.count
    }

    /// The rows in the order of their arrivals, the first at 0; `nil` if there are none.
    ///
    /// - Parameter names: whether the functions' ARNs go with it.
    func trace(names: Bool) -> Trace? {
        let sorted = rows.sorted { $0.arrival < $1.arrival }
        guard let first = sorted.first else { return nil }
        let numbers = Set(sorted.map(\.function)).sorted()
        let indexes = Dictionary(uniqueKeysWithValues: numbers.enumerated().map { ($1, Int32($0)) })
        let known = numbers.map { number in
            functions[number] ?? ArrivalLog.Function(number: number, arn: "", memoryMebibytes: 128)
        }
        let cold = Self.mean(known.compactMap(\.coldStartSeconds)) ?? Self.coldStartDefault
        let far = Self.mean(known.compactMap(\.roundTripSeconds)) ?? Self.roundTripDefault
        var trace = Trace(
            arrivals: sorted.map { $0.arrival - first.arrival }, functions: sorted.map { indexes[$0.function] ?? 0 },
            durations: sorted.map(\.duration),
            costs: known.map {
                Trace.costs(
                    memory: max($0.memoryMebibytes, 1), coldStart: $0.coldStartSeconds ?? cold, roundTrip: $0.roundTripSeconds ?? far)
            })
        if let spare = Self.mean(known.compactMap(\.spareStartSeconds)) {
            trace.spareStarts = known.map { $0.spareStartSeconds ?? spare }
        }
        // The account is the fifth part of an ARN. What is written is a number to each, not the account.
        var accounts: [Substring: Int32] = [:]
        trace.accounts = known.map { function in
            let parts = function.arn.split(separator: ":", omittingEmptySubsequences: false)
            let account = parts.count > 4 ? parts[4] : "of \(function.number)"
            if let number = accounts[account] { return number }
            accounts[account] = Int32(accounts.count)
            return Int32(accounts.count - 1)
        }
        if names { trace.names = known.map(\.arn) }
        trace.actual = Trace.Actual(
            added: sorted.map(\.added), fates: sorted.map { Trace.Fate(rawValue: $0.fate.rawValue) ?? .refused })
        return trace
    }

    private static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}
