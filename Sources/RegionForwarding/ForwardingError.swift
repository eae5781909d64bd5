/// What can go wrong between two nodes apart from the invocation itself, and in making their certificates.
public struct ForwardingError: Error, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, Codable, CaseIterable {
        /// A message from a peer lacks a field or has one that cannot be.
        case invalidRequest = "invalid_request"
        /// The peer speaks another version of the protocol.
        case unsupportedProtocol = "unsupported_protocol"
        /// The peer is not who it says it is.
        case forbidden
        /// No such resource.
        case notFound = "not_found"
        /// A body is larger than its limit.
        case bodyTooLarge = "body_too_large"
        /// An answer ends early or contradicts itself.
        case invalidAnswer = "invalid_answer"
        /// A node or host name, or a URL, is not one.
        case invalidName = "invalid_name"
        /// A certificate or key cannot be read, made or used.
        case invalidCertificate = "invalid_certificate"
        /// A file is there already and was not to be replaced.
        case fileExists = "file_exists"
        /// A file cannot be read or written.
        case fileFailed = "file_failed"
    }

    public let code: Code
    /// What failed and what to do about it.
    public let message: String

    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }
}
