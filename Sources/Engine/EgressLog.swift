internal import EgressProxy
internal import EngineCore
internal import Logging
internal import Synchronization

/// One line in the node's log for each connection of a function to the outside, and no more than a function can be let write there.
final class EgressLog: Sendable {
    /// Lines in one second. Beyond, connections are counted, and the count is the next second's first line.
    static let linesPerSecond = 50

    private struct State {
        var second: Int64 = 0
        var lines = 0
        var dropped = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(logger: Logger) { self.logger = logger }

    func add(_ record: EgressRecord, now: EngineInstant = .now()) {
        let (mayWrite, dropped) = state.withLock { state -> (Bool, Int) in
            let second = now.nanoseconds / 1_000_000_000
            var dropped = 0
            if second != state.second {
                dropped = state.dropped
                state = State(second: second)
            }
            state.lines += 1
            if state.lines > Self.linesPerSecond { state.dropped += 1 }
            return (state.lines <= Self.linesPerSecond, dropped)
        }
        if dropped > 0 { logger.warning("\(dropped) egress connections more were not logged: \(Self.linesPerSecond) a second are") }
        if mayWrite { logger.info("\(record)") }
    }
}
