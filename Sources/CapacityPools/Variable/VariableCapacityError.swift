/// What can go wrong with a source of variable capacity.
public struct VariableCapacityError: Error, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The driver cannot be made from its settings.
        case settingsInvalid
        /// The operator's command cannot be executed.
        case commandNotStarted
        /// It did not end in time, and was killed.
        case commandTimedOut
        /// It wrote more than it may, and was killed.
        case commandOutputTooLarge
        /// It ended with another status than 0, or by a signal.
        case commandFailed
        /// What it wrote is not an answer.
        case answerInvalid
        /// The node stops.
        case cancelled
    }

    public let code: Code
    /// What failed and what to do about it.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
