public import EngineCore

/// The calls of this node as a trace: what `wayside record` writes and `wayside simulate` replays.
///
/// A row is 24 bytes and names its function by a number; what is known of the functions is kept once to each. Two limits, both counted
/// where they are reached: so many rows, the oldest go first; so many functions, rows of further ones are left out. Numbers of rows and
/// functions are never used twice, so a reader that comes back knows what it has and what it missed.
public struct ArrivalLog: Sendable {
    /// How a call got its place, as one byte of a trace.
    public enum Fate: UInt8, Sendable, CaseIterable {
        case warm, container, instance, zygote, boot, forwarded, refused

        init(_ record: InvocationRecord) {
            self =
                switch (record.decision, record.startLevel) {
                case (.forward, _): .forwarded
                case (.run, .warm?): .warm
                case (.run, .container?): .container
                case (.run, .instance?): .instance
                case (.run, .zygote?): .zygote
                case (.run, .boot?): .boot
                case (.run, nil), (.refuse, _): .refused
                }
        }
    }

    public struct Row: Hashable, Sendable {
        /// Seconds since 1970.
        public var arrival: Double
        public var function: UInt32
        /// Seconds in the handler; 0 where nothing ran.
        public var duration: Float
        /// Seconds from arrival to answer that are not the handler's.
        public var added: Float
        public var fate: Fate

        public init(arrival: Double, function: UInt32, duration: Float, added: Float, fate: Fate) {
            self.arrival = arrival
            self.function = function
            self.duration = duration
            self.added = added
            self.fate = fate
        }
    }

    /// What is known of a function. Means are of about the last ten calls of the kind; `nil` until there was one.
    public struct Function: Hashable, Sendable, Codable {
        public var number: UInt32
        /// The ARN, without version.
        public var arn: String
        public var memoryMebibytes: Double
        /// Seconds that a start adds to a call, where nothing or only the account's instance was prepared.
        public var coldStartSeconds: Double?
        /// Seconds that a start on an instance of the warming pool adds.
        public var spareStartSeconds: Double?
        /// Seconds to the region and back, without the run there.
        public var roundTripSeconds: Double?

        public init(number: UInt32, arn: String, memoryMebibytes: Double) {
            self.number = number
            self.arn = arn
            self.memoryMebibytes = memoryMebibytes
        }
    }

    private struct Known {
        var function: Function
        var coldStarts = 0
        var spareStarts = 0
        var roundTrips = 0
    }

    /// What a reader gets.
    public struct Extract: Sendable {
        /// In the order of their ends, which is not that of their arrivals.
        public var rows: [Row]
        /// Those that the rows name.
        public var functions: [Function]
        /// The number to go on after.
        public var next: UInt64
        /// Rows that were asked for and had gone already.
        public var missed: UInt64
        /// Rows ever left out because there were too many functions.
        public var leftOut: UInt64
    }

    public let rowsMax: Int
    public let functionsMax: Int
    /// A ring once it is full; row number n is at n modulo `rowsMax`.
    private var rows: [Row] = []
    /// Rows ever added; the number of the next.
    public private(set) var count: UInt64 = 0
    /// Rows left out because there were too many functions.
    public private(set) var leftOut: UInt64 = 0
    private var functions: [UInt32: Known] = [:]
    /// How many rows name a function. One that none names gives its place to another.
    private var uses: [UInt32: Int] = [:]
    private var numbers: [String: UInt32] = [:]
    private var lastNumber: UInt32 = 0

    /// - Parameters:
    ///   - rowsMax: rows kept, 24 bytes each; 0 keeps none.
    ///   - functionsMax: functions told apart among them.
    public init(rowsMax: Int, functionsMax: Int = 10_000) {
        precondition(rowsMax >= 0 && functionsMax > 0, "limits are positive")
        self.rowsMax = rowsMax
        self.functionsMax = functionsMax
    }

    /// Adds a call that is over. O(1), but O(functions) when their table is full and one without rows is looked for.
    public mutating func add(_ record: InvocationRecord) {
        guard rowsMax > 0 else { return }
        guard let function = number(of: record.functionARN) else {
            leftOut += 1
            return
        }
        let fate = Fate(record)
        let run = fate == .forwarded ? record.remote?.spans.run ?? 0 : record.spans.run
        learn(function, record, fate)
        append(
            Row(
                arrival: record.arrivalEpochSeconds, function: function, duration: Float(run / 1000),
                added: Float(max(0, record.spans.total - run) / 1000), fate: fate))
    }

    private mutating func append(_ row: Row) {
        uses[row.function, default: 0] += 1
        if rows.count < rowsMax {
            rows.append(row)
        } else {
            let place = Int(count % UInt64(rowsMax))
            uses[rows[place].function, default: 1] -= 1
            rows[place] = row
        }
        count += 1
    }

    private mutating func number(of arn: String) -> UInt32? {
        if let known = numbers[arn] { return known }
        if numbers.count >= functionsMax {
            guard let unused = functions.first(where: { uses[$0.key, default: 0] == 0 }) else { return nil }
            functions[unused.key] = nil
            uses[unused.key] = nil
            numbers[unused.value.function.arn] = nil
        }
        lastNumber += 1
        numbers[arn] = lastNumber
        functions[lastNumber] = Known(function: Function(number: lastNumber, arn: arn, memoryMebibytes: 0))
        return lastNumber
    }

    private mutating func learn(_ number: UInt32, _ record: InvocationRecord, _ fate: Fate) {
        guard var known = functions[number] else { return }
        known.function.memoryMebibytes = Double(record.memoryLimit.bytes) / 1_048_576
        // All that is not the run and not a wait for others: what a start costs the call, with what it costs to carry it out.
        let start = max(0, record.spans.total - record.spans.run - record.spans.wait) / 1000
        switch fate {
        case .container, .zygote, .boot: Self.average(start, into: &known.function.coldStartSeconds, &known.coldStarts)
        case .instance: Self.average(start, into: &known.function.spareStartSeconds, &known.spareStarts)
        case .forwarded:
            guard let remote = record.remote else { break }
            let way = max(0, record.spans.total - remote.spans.total) / 1000
            Self.average(way, into: &known.function.roundTripSeconds, &known.roundTrips)
        case .warm, .refused: break
        }
        functions[number] = known
    }

    /// The plain mean of the first ten, then one that forgets.
    private static func average(_ value: Double, into mean: inout Double?, _ count: inout Int) {
        count = min(count + 1, 10)
        mean = (mean ?? 0) + (value - (mean ?? 0)) / Double(count)
    }

    /// The rows from number `first` on.
    ///
    /// - Parameter limit: at most so many; the oldest of them.
    /// - Complexity: O(rows in the answer).
    public func rows(from first: UInt64, limit: Int) -> Extract {
        let oldest = count - UInt64(rows.count)
        let begin = min(max(first, oldest), count)
        let end = min(count, begin + UInt64(max(0, limit)))
        let found = (begin..<end).map { rows[Int($0 % UInt64(rowsMax))] }
        let named = Set(found.map(\.function))
        return Extract(
            rows: found, functions: named.sorted().compactMap { functions[$0]?.function }, next: end,
            missed: first < oldest ? oldest - first : 0, leftOut: leftOut)
    }

    /// The number of the first row kept whose call arrived at `epochSeconds` or later, as far as rows lie in the order of arrival.
    public func firstRow(since epochSeconds: Double) -> UInt64 {
        let oldest = count - UInt64(rows.count)
        return (oldest..<count).first { rows[Int($0 % UInt64(rowsMax))].arrival >= epochSeconds } ?? count
    }
}
