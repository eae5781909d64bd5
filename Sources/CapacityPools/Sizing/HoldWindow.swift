internal import EngineCore

/// The most that was needed lately, so that a target falls only when less was needed for a while.
struct HoldWindow: Sendable {
    private static let parts = 12

    private let part: Int64
    private var most = [Int](repeating: 0, count: HoldWindow.parts + 1)
    private var number: Int64?

    init(length: Duration) { part = max(1, length.wholeNanoseconds / Int64(Self.parts)) }

    /// - Returns: the most of the last `length`, and of up to a twelfth more.
    mutating func add(_ needed: Int, at now: EngineInstant) -> Int {
        let current = now.nanoseconds / part
        let passed = number.map { min(max(0, current - $0), Int64(most.count)) } ?? 0
        for _ in 0..<passed {
            most.removeFirst()
            most.append(0)
        }
        number = max(current, number ?? current)
        most[most.count - 1] = max(most[most.count - 1], needed)
        return most.max() ?? needed
    }
}
