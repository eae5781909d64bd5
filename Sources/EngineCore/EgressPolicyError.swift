/// An allow-list that cannot be taken as it was written.
public struct EgressPolicyError: Error, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// There are more entries than ``EgressPolicy/entriesMax``.
        case tooManyEntries
        /// The name is none, or too long.
        case nameInvalid
        /// The address is none, or is written in a way that other programs read differently.
        case addressInvalid
        /// The prefix is too long for the address, or cuts it.
        case prefixInvalid
        /// The port, or the range of ports, is none.
        case portInvalid
    }

    public let code: Code
    /// The entry as it was written, cut to what a name may be long.
    public let entry: String
    /// What is wrong with it and what to write instead.
    public let message: String

    init(_ code: Code, _ entry: some StringProtocol, _ message: String) {
        self.code = code
        self.entry = String(decoding: entry.utf8.prefix(EgressPolicy.entryLengthMax), as: UTF8.self)
        self.message = message
    }

    public var description: String { entry.isEmpty ? message : "egress entry \"\(entry)\": \(message)" }
}
