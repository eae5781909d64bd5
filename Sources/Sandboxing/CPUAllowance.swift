public import EngineCore

/// What a function may have of the processors, by its memory.
///
/// Functions that want the processor at the same moment share it in proportion to their memory (weight). The ceiling is a core, or
/// the function's share of the machine where that is more: cutting a small function to a fraction of an idle core would only make it
/// slow.
public struct CPUAllowance: Hashable, Sendable {
    /// Lambda's figure: 1769 MiB are one core.
    public static let mebibytesPerCore = 1769
    /// Thousandths of a core that come with 1 GiB: Lambda's figure, rounded to the next.
    public static let defaultMillisPerGibibyte = (1024 * 1000 + mebibytesPerCore / 2) / mebibytesPerCore
    /// Thousandths of a core that every function may use if nobody else wants them.
    public static let defaultMillisMin = 1000
    /// What the kernel takes for a weight (cgroup-v2.rst, `cpu.weight`).
    private static let weights = 1...10_000

    public var millisPerGibibyte: Int
    public var millisMin: Int

    public init(millisPerGibibyte: Int = defaultMillisPerGibibyte, millisMin: Int = defaultMillisMin) {
        self.millisPerGibibyte = millisPerGibibyte
        self.millisMin = millisMin
    }

    /// The ceiling in thousandths of a core.
    public func millis(for memory: ByteCount) -> Int { max(millisMin, memory.mebibytesRoundedUp * millisPerGibibyte / 1024) }

    /// The weight: one for each mebibyte, within what the kernel takes.
    public static func weight(for memory: ByteCount) -> Int {
        min(max(memory.mebibytesRoundedUp, weights.lowerBound), weights.upperBound)
    }
}
