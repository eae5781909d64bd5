public import EngineCore
import Foundation
public import NIOCore

/// An error as one node tells it to another: a status for people, JSON for programs.
public struct ForwardedFailure: Sendable {
    /// HTTP status code.
    public let status: Int
    /// The raw value of an `InvocationError.Code` or a ``ForwardingError/Code``.
    public let code: String
    public let message: String

    public init(_ error: InvocationError) {
        status =
            switch error.code {
            case .versionNotHeld: 409
            case .hopLimit: 508
            case .deadlineExceeded: 504
            case .overloaded, .draining, .codeNotCurrent, .noRegion: 503
            case .rejectedByPolicy, .noPermission, .reservedConcurrency, .variableCapacity, .affinity: 429
            case .codeUnavailable, .startFailed, .launcherLost, .regionFailed: 502
            case .aborted: 499
            case .internalFailure: 500
            }
        code = error.code.rawValue
        message = error.message
    }

    public init(_ error: ForwardingError) {
        status =
            switch error.code {
            case .invalidRequest, .unsupportedProtocol, .invalidName: 400
            case .forbidden: 403
            case .notFound: 404
            case .bodyTooLarge: 413
            case .invalidAnswer, .invalidCertificate, .fileExists, .fileFailed: 500
            }
        code = error.code.rawValue
        message = error.message
    }

    private struct Document: Codable {
        var code: String
        var message: String
    }

    /// `{"code": …, "message": …}`
    public var body: ByteBuffer {
        do {
            return ByteBuffer(bytes: try JSONEncoder().encode(Document(code: code, message: message)))
        } catch {
            preconditionFailure("Two strings can be written as JSON: \(error)")
        }
    }

    /// - Returns: `nil` when `body` is not an error of a node: something else answered.
    public init?(status: Int, body: ByteBuffer) {
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(body.readableBytesView)) else { return nil }
        self.status = status
        code = document.code
        message = document.message
    }

    /// What the answer means to the sender of an invocation.
    ///
    /// A region that says `aborted` took the sender for gone although it waits, so the call may have run. A region that
    /// refuses the message itself has run nothing: to the sender it is as good as overloaded, and its owner finds the reason
    /// in the log.
    public func invocationError(region: String) -> InvocationError {
        switch InvocationError.Code(rawValue: code) {
        case .aborted: InvocationError(.regionFailed, "Region \(region) gave the call up: \(message)")
        case .some(let code): InvocationError(code, message)
        case nil where ForwardingError.Code(rawValue: code) != nil && status < 500:
            InvocationError(.overloaded, "Region \(region) refuses the call: \(message)")
        case nil: InvocationError(.regionFailed, "Region \(region) failed with an unknown error, \(code): \(message)")
        }
    }
}
