internal import EngineCore
internal import Foundation

/// What the functions of a node are called like just now, from its newest invocations.
struct FunctionRates: Encodable {
    /// One version's figures over ``FunctionRates/seconds``.
    struct Rate: Encodable {
        /// The ARN without a version.
        let function: String
        let version: FunctionVersion
        let account: AccountID
        var calls = 0
        var callsPerSecond = 0.0
        var warm = 0
        var forwarded = 0
        var failed = 0
        var medianMilliseconds = 0.0
        var longestMilliseconds = 0.0
    }

    /// The busiest first.
    let rates: [Rate]
    /// What the figures are over: ``window``, or less if the invocations at hand do not reach back so far.
    let seconds: Double

    static let window = 10.0

    /// - Parameter limit: how many records were asked for. With fewer, these are all that there are.
    /// - Complexity: O(records log records).
    init(_ records: [InvocationRecord], limit: Int, now: Date) {
        let end = now.timeIntervalSince1970
        let ends = records.map { $0.arrivalEpochSeconds + $0.spans.total / 1000 }
        // Of more calls than were asked for the oldest are not at hand; what is at hand tells of the time that it spans.
        let spanned = records.count < limit ? Self.window : end - (ends.min() ?? end)
        seconds = min(max(spanned, 0.1), Self.window)
        var groups: [String: (rate: Rate, totals: [Double])] = [:]
        for (record, ended) in zip(records, ends) where ended > end - seconds {
            let name = "\(record.functionARN):\(record.version)"
            var group = groups[name] ?? (Rate(function: record.functionARN, version: record.version, account: record.account), [])
            group.rate.calls += 1
            if record.decision == .forward { group.rate.forwarded += 1 }
            if record.decision == .run, record.startLevel == .warm { group.rate.warm += 1 }
            if record.outcome != .success { group.rate.failed += 1 }
            group.totals.append(record.spans.total)
            groups[name] = group
        }
        let seconds = seconds
        rates = groups.values.map { group in
            var rate = group.rate
            let totals = group.totals.sorted()
            rate.callsPerSecond = Double(rate.calls) / seconds
            rate.medianMilliseconds = totals[totals.count / 2]
            rate.longestMilliseconds = totals[totals.count - 1]
            return rate
        }.sorted { ($1.calls, $0.function) < ($0.calls, $1.function) }
    }

    var callsPerSecond: Double { rates.reduce(0) { $0 + $1.callsPerSecond } }
}
