public import EngineCore

/// What a function's calls have cost here, as far as it matters for placing the next ones.
///
/// The means are decayed: each call moves them by a sixteenth of its distance, the first fifteen by more, so that they are plain means
/// at first. A mean, and not a median, because what is asked of it is load: calls a second times mean duration are the containers
/// that are busy, times mean cpu time the cores that are. Decayed, because a function's callers change with the hour. Each update
/// and each question is O(1) and takes no memory.
public struct FunctionProfile: Hashable, Sendable, Codable {
    /// A call's part in the means, once there have been that many.
    static let weight = 16
    /// How much of its surplus the peak loses with each call that stays below it.
    private static let peakDecay = 64

    /// Calls that ran here, whatever they ended in.
    public private(set) var calls = 0
    /// The most memory a container of it has used lately: it follows a higher one at once and a lower one slowly.
    public private(set) var memoryPeak = ByteCount.zero
    /// From the event's handing over to the answer.
    public private(set) var duration = Duration.zero
    /// Processor time of a call, with what its container did on the side; zero while it has not been measured.
    public private(set) var cpuTime = Duration.zero
    /// Calls whose processor time is in the mean.
    public private(set) var callsWithCPUTime = 0

    public init() {}

    /// Takes one call in.
    ///
    /// - Parameter memoryPeak: the most its container has used so far; `nil` where that is not known.
    mutating func record(duration: Duration, memoryPeak: ByteCount?) {
        calls += 1
        self.duration += (duration - self.duration) / min(calls, Self.weight)
        guard let peak = memoryPeak else { return }
        if peak >= self.memoryPeak {
            self.memoryPeak = peak
        } else {
            self.memoryPeak -= ByteCount((self.memoryPeak - peak).bytes / Self.peakDecay)
        }
    }

    /// Takes in the processor time that `count` calls of one container have used together.
    mutating func record(cpuTime total: Duration, ofCalls count: Int) {
        guard count > 0 else { return }
        callsWithCPUTime += count
        // As if each had used the same: n steps of 1/w are one step of 1 - (1 - 1/w)^n, for which n/w is near enough below w.
        let part = min(1, Double(count) / Double(min(callsWithCPUTime, Self.weight)))
        cpuTime += (total / count - cpuTime) * part
    }
}
