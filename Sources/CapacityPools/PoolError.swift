/// Why an operator's change of the pools was not made.
public struct PoolError: Error, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// There is no such sub-pool.
        case unknownSubPool = "unknown_sub_pool"
        /// The change does not make sense for this kind of sub-pool.
        case wrongKind = "wrong_kind"
        /// A number is out of range, or the floor is above the ceiling.
        case badNumber = "bad_number"
        /// The node does not have so much memory that is not promised to others.
        case notEnoughMemory = "not_enough_memory"
    }

    public let code: Code
    /// What failed and what to do about it, for the operator.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
