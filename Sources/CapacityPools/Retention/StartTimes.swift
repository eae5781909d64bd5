/// How long it takes to make a container of a runtime, by what it is made from, in seconds: decayed means of what was measured.
struct StartTimes: Hashable, Sendable {
    /// What one measurement moves the mean by.
    static let weight = 0.3

    private var container: Double?
    private var instance: Double?
    private var newInstance: Double?

    /// `nil`: none has been made.
    subscript(_ kind: StartPlan.Kind) -> Double? {
        switch kind {
        case .container: container
        case .instance: instance
        case .newInstance: newInstance
        }
    }

    mutating func add(_ seconds: Double, _ kind: StartPlan.Kind) {
        switch kind {
        case .container: container = Self.moved(container, to: seconds)
        case .instance: instance = Self.moved(instance, to: seconds)
        case .newInstance: newInstance = Self.moved(newInstance, to: seconds)
        }
    }

    static func moved(_ mean: Double?, to seconds: Double) -> Double { mean.map { $0 + weight * (seconds - $0) } ?? seconds }
}
