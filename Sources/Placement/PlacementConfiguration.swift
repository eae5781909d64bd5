public import EngineCore

/// The thresholds of every placement decision. A value that exists is consistent: the initialiser refuses the others.
public struct PlacementConfiguration: Hashable, Sendable {
    /// What weighs a function.
    public let policy: PlacementBasis.Policy
    /// A function that was seen no more often than this lately is uncommon, and not weighed by the market. 0: every function is weighed.
    public let rareCalls: Int
    /// A function whose runs take longer on average never starts here while a region can take it; `nil`: however long they take.
    public let longestRun: Duration?
    /// After this time without calls a function's rate has fallen to one half. At least one second.
    public let frequencyHalfLife: Duration
    /// A function becomes frequent when its decayed rate reaches this many calls per half-life.
    public let frequentCallsPerHalfLife: Double
    /// A frequent function becomes uncommon again when its decayed rate falls below this many calls per half-life.
    public let uncommonCallsPerHalfLife: Double
    /// Most functions whose rate is remembered; beyond it the smallest rate is forgotten.
    public let frequencyEntryLimit: Int
    /// Most memory this node gives any one function. What asks for more never starts here, not even in an outage.
    public let largestFunctionMemory: ByteCount
    /// Most hops a call may have made when it arrives; beyond it the call is refused. At least 1: client, POP, region.
    public let hopLimit: Int

    /// What one call adds to a rate in calls per half-life, and so the smallest useful distance of the two thresholds.
    ///
    /// A steady stream of r calls per half-life settles at a decayed count of r / ln 2, hence rate = count × ln 2.
    public static let ratePerCall = 0.693_147_180_559_945_3

    /// - Throws: `PlacementConfigurationError` when a value is out of range or when the two frequency thresholds lie less
    ///   than `ratePerCall` apart. With that distance no single call lifts an uncommon function over both, hence a
    ///   never-seen function is never frequent, and no evenly spaced stream of calls changes its class at every call.
    public init(
        policy: PlacementBasis.Policy = .frequency, rareCalls: Int = 3, longestRun: Duration? = nil,
        frequencyHalfLife: Duration = .seconds(300), frequentCallsPerHalfLife: Double = 5,
        uncommonCallsPerHalfLife: Double = 2, frequencyEntryLimit: Int = 16_384,
        largestFunctionMemory: ByteCount = .mebibytes(1024), hopLimit: Int = 1
    ) throws(PlacementConfigurationError) {
        guard (0..<FrequencySketch.countMax).contains(rareCalls) else {
            throw .init(.rareCalls, "rare calls are \(rareCalls); set 0 to \(FrequencySketch.countMax - 1)")
        }
        guard frequencyHalfLife >= .seconds(1) else {
            throw .init(.halfLife, "the frequency half-life is \(frequencyHalfLife); set at least 1 second")
        }
        guard uncommonCallsPerHalfLife > 0, frequentCallsPerHalfLife.isFinite,
            frequentCallsPerHalfLife >= uncommonCallsPerHalfLife + Self.ratePerCall
        else {
            throw .init(
                .thresholds,
                "frequent from \(frequentCallsPerHalfLife) and uncommon below \(uncommonCallsPerHalfLife) calls per "
                    + "half-life; set the lower above 0 and the upper at least 0.7 higher")
        }
        guard frequencyEntryLimit >= 1 else {
            throw .init(.entryLimit, "the frequency entry limit is \(frequencyEntryLimit); set at least 1")
        }
        guard largestFunctionMemory > .zero else {
            throw .init(.memory, "the largest function memory is \(largestFunctionMemory); set more than 0")
        }
        guard hopLimit >= 1 else {
            throw .init(.hopLimit, "the hop limit is \(hopLimit); set at least 1, or configure no region")
        }
        self.policy = policy
        self.rareCalls = rareCalls
        self.longestRun = longestRun
        self.frequencyHalfLife = frequencyHalfLife
        self.frequentCallsPerHalfLife = frequentCallsPerHalfLife
        self.uncommonCallsPerHalfLife = uncommonCallsPerHalfLife
        self.frequencyEntryLimit = frequencyEntryLimit
        self.largestFunctionMemory = largestFunctionMemory
        self.hopLimit = hopLimit
    }

    /// - Parameter run: how long runs take, in seconds, if that is known.
    public func isTooLong(_ run: Double?) -> Bool {
        guard let run, let longestRun else { return false }
        return run > longestRun.inSeconds
    }
}

/// Why a placement configuration was refused, and what to set instead.
public struct PlacementConfigurationError: Error, Hashable, CustomStringConvertible {
    /// The setting at fault.
    public enum Code: Hashable, Sendable {
        case rareCalls, halfLife, thresholds, entryLimit, memory, hopLimit
    }

    public let code: Code
    public let message: String
    public var description: String { message }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
}
