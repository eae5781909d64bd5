/// What can go wrong between this process and `wayside-launcher`.
public struct SandboxError: Error, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The launcher's socket could not be reached.
        case unreachable
        /// The launcher speaks another version of the protocol.
        case versionMismatch
        /// The connection ended while a request was under way: the launcher died or was restarted.
        case disconnected
        /// The launcher could not do a set-up step; `message` names the step and the system's error.
        case stepFailed
        /// A value does not fit into the message: a path, a name or the environment is too long.
        case invalidArgument
        /// Too many requests are under way on this connection.
        case tooManyRequests
        /// The configuration or a runtime's manifest cannot be used.
        case configurationInvalid
        /// Another function is being watched beside the pools; one at a time.
        case probeUnderWay
        /// The container ended, or did not say in time that its runtime is up.
        case containerEnded
    }

    public let code: Code
    /// What failed and what to do about it.
    public let message: String
    /// The launcher's name of the step, for `stepFailed`.
    public let step: String?
    /// The `errno` of the step or of the system call, 0 when there is none.
    public let systemError: Int32

    init(_ code: Code, _ message: String, step: String? = nil, systemError: Int32 = 0) {
        self.code = code
        self.message = message
        self.step = step
        self.systemError = systemError
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
