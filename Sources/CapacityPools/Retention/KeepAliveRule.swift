/// How long an idle container is kept, by what is lost with it.
///
/// A container that holds what earlier calls have gathered costs more to lose than a fresh one: its start, and the time to gather that
/// again. So its time grows with the state it holds (STICK-15), in the ratio of the two costs at first, and ever less, towards
/// `growthMax` times.
public struct KeepAliveRule: Hashable, Sendable {
    /// Seconds for a container without state; infinity for ever.
    public var base: Double
    /// Mebibytes of state that are gathered in a second.
    public var stateRebuildRate: Double
    /// How many times `base` the longest keep-alive is.
    public var growthMax: Double

    public init(base: Double, stateRebuildRate: Double = 16, growthMax: Double = 6) {
        self.base = base
        self.stateRebuildRate = stateRebuildRate
        self.growthMax = growthMax
    }

    /// Seconds to gather that state again.
    public func rebuild(state: Double) -> Double { max(0, state) / stateRebuildRate }

    /// - Parameters:
    ///   - coldStart: seconds a start takes.
    ///   - state: mebibytes that calls have left in the container.
    public func seconds(coldStart: Double, state: Double) -> Double {
        let room = growthMax - 1
        guard state > 0, room > 0 else { return base }
        let ratio = rebuild(state: state) / max(coldStart, 0.001)
        return base * (1 + room * ratio / (ratio + room))
    }
}
