internal import EgressProxy
internal import EngineCore
internal import Logging
internal import Synchronization

/// One line in the node's log for each connection of a function to the outside, and no more than a function can be let write there.
final class EgressLog: Sendable {
    private let logger: Logger
    private let budgets = Mutex(Budgets())

    init(logger: Logger) { self.logger = logger }

    func add(_ record: EgressRecord, now: EngineInstant = .now()) {
        let (mayWrite, drops) = budgets.withLock {
            $0.take(for: record.function, isRelayed: record.verdict == .relayed, second: now.nanoseconds / 1_000_000_000)
        }
        for drop in drops { logger.warning("\(drop)") }
        if mayWrite { logger.info("\(record)") }
    }
}

extension EgressLog {
    /// Lines that each function may still write in this second. What was made counts apart from what was not, so that neither hides the
    /// other, and each function for itself, so that none hides another's.
    struct Budgets {
        /// Lines of one function in one second, of connections that were made, and as many again of those that were not. Beyond,
        /// connections are counted, and the counts are written when the second is over and another record comes, of any function.
        static let linesPerSecond = 10
        /// Functions with a budget of their own in one second. Those beyond share one.
        static let functionsMax = 1024

        /// What was not logged.
        struct Drop: Hashable, CustomStringConvertible {
            /// The function's ARN without a version; `nil` for those that had no budget of their own.
            let function: String?
            let relayed: Int
            let refused: Int

            var description: String {
                "egress \(function ?? "of functions beyond the first \(functionsMax)") was not logged beyond \(linesPerSecond) lines "
                    + "a second: relayed=\(relayed) refused=\(refused)"
            }
        }

        /// Connections in this second.
        private struct Counts {
            var relayed = 0
            var refused = 0
        }

        private var second: Int64 = 0
        private var functions: [String: Counts] = [:]
        private var others = Counts()

        init() {}

        /// O(1); with the first record of a second O(functions of the one before).
        ///
        /// - Returns: whether the record may be written, and what is to be written before it.
        mutating func take(for arn: String, isRelayed: Bool, second: Int64) -> (mayWrite: Bool, drops: [Drop]) {
            let drops = second == self.second ? [] : begin(second)
            let function = Self.function(of: arn)
            let counter: WritableKeyPath<Counts, Int> = isRelayed ? \.relayed : \.refused
            let count: Int
            if functions[function] != nil || functions.count < Self.functionsMax {
                functions[function, default: Counts()][keyPath: counter] += 1
                count = functions[function]?[keyPath: counter] ?? 0
            } else {
                others[keyPath: counter] += 1
                count = others[keyPath: counter]
            }
            return (count <= Self.linesPerSecond, drops)
        }

        private mutating func begin(_ second: Int64) -> [Drop] {
            let ended = functions.sorted { $0.key < $1.key }.map { (Optional($0.key), $0.value) } + [(nil, others)]
            self = Budgets()
            self.second = second
            return ended.compactMap { function, counts in
                let relayed = max(0, counts.relayed - Self.linesPerSecond)
                let refused = max(0, counts.refused - Self.linesPerSecond)
                return relayed + refused == 0 ? nil : Drop(function: function, relayed: relayed, refused: refused)
            }
        }

        /// All versions of a function write from one budget: `arn:aws:lambda:REGION:ACCOUNT:function:NAME`.
        private static func function(of arn: String) -> String {
            arn.split(separator: ":", maxSplits: 7, omittingEmptySubsequences: false).prefix(7).joined(separator: ":")
        }
    }
}
