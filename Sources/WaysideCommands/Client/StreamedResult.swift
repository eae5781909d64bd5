internal import AsyncHTTPClient
internal import Foundation
internal import Frontend
internal import NIOCore

/// The answer of InvokeWithResponseStream: parts of the result, while the function makes them, and how it ended.
struct StreamedResult {
    /// `InvokeComplete`, in the API's own member names. Without an error code all went well.
    struct End: Decodable {
        let ErrorCode: String?
        let ErrorDetails: String?
        let LogResult: String?

        /// Whether the function itself failed, not what ran it.
        var isFunctions: Bool { ErrorCode.map { $0 == "Unhandled" || $0.contains(/^(Function|Runtime|Sandbox)\./) } ?? false }
    }

    let response: HTTPClientResponse

    /// Writes the parts to standard output as they come. A reader who takes its time slows the function down.
    /// - Throws: `CommandFailure` when the stream is cut off, or nobody reads standard output any more, which ends the call.
    func write() async throws -> End {
        let body = response.body
        return try await withThrowingTaskGroup(of: End.self) { group in
            group.addTask { try await Self.write(body) }
            group.addTask {
                try await StandardOutput.untilClosed()
                throw StandardOutput.closed
            }
            defer { group.cancelAll() }
            return try await group.next() ?? { throw StandardOutput.closed }()
        }
    }

    @concurrent
    private static func write(_ body: HTTPClientResponse.Body) async throws -> End {
        var decoder = EventStreamDecoder()
        do {
            for try await bytes in body {
                decoder.append(bytes)
                while let message = try decoder.next() {
                    guard message.type == "event" else {
                        throw CommandFailure("The stream was ended: \(String(buffer: message.payload))")
                    }
                    switch message.event {
                    case "PayloadChunk": try StandardOutput.write(message.payload.readableBytesView)
                    case "InvokeComplete": return try JSONDecoder().decode(End.self, from: Data(message.payload.readableBytesView))
                    default: continue
                    }
                }
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure("The result was cut off: \(error)")
        }
        throw CommandFailure("The result was cut off: the node closed the connection without an end.")
    }
}
