import EngineCore
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import Telemetry

/// The answers of the operator's API.
struct OperatorResponder: Sendable {
    /// Records, or rows, in one answer, whatever the caller asks for.
    static let recordsMax = 1000

    let services: OperatorServices

    func answer(_ request: Request) async -> Response {
        let target = RequestTarget(request.head.path ?? "/")
        do throws(OperatorFailure) {
            return try await answer(request, target, target.path.split(separator: "/"))
        } catch {
            return json(Failure(error: error.code, message: error.message), error.status)
        }
    }

    private func answer(_ request: Request, _ target: RequestTarget, _ parts: [Substring]) async throws(OperatorFailure) -> Response {
        guard parts.first == "v1" else { throw Self.unknown(target) }
        switch (request.method, parts.dropFirst().first, parts.count) {
        case (.get, "records", 2): return try records(target)
        case (.get, "records", 3): return json(RecordAnswer(try found(parts[2])))
        case (.get, "logs", 3): return text(try found(parts[2]).log.text)
        case (.get, "status", 2): return json(await services.status())
        case (.get, "arrivals", 2): return try arrivals(target)
        case (.get, "pools", 2): return json(await pools())
        case (_, "pools", 3...): return json(try await changePool(request, target, parts.dropFirst(2)))
        case (.post, "reserve", 2): return json(try await reserve(request.body))
        case (.get, "instances", 2): return json(try await instances(target))
        case (.get, "instances", 3): return json(try await instance(parts[2]))
        case (.delete, "instances", 3): return json(try await killInstance(parts[2]))
        case (.delete, "containers", 3): return json(try await killContainer(parts[2]))
        case (.put, "containers", 4) where parts[3] == "pin": return json(try await pin(parts[2], true))
        case (.delete, "containers", 4) where parts[3] == "pin": return json(try await pin(parts[2], false))
        case (.get, "sticky", 2): return json(try await sticky(target))
        case (.delete, "sticky", 3): return json(try await removeSticky(parts[2]))
        case (.get, "why-cold", 2): return json(try await coldStarts(target))
        case (.get, "regions", 2): return json(regions())
        case (.get, "regions", 3): return json(try region(parts[2], target))
        case (.get, "sandbox", 2): return json(try await explainSandbox(target))
        case (.post, "sandbox", 3) where parts[2] == "learn": return json(try await learnSandbox(target, request.body))
        default: throw Self.unknown(target)
        }
    }

    private struct RecordAnswer: Encodable {
        let record: InvocationRecord
        let droppedLogBytes: Int

        init(_ entry: RecordStore.Entry) {
            record = entry.record
            droppedLogBytes = entry.log.droppedByteCount
        }
    }

    private struct RecordsAnswer: Encodable { let records: [InvocationRecord] }

    private struct Failure: Encodable { let error, message: String }

    private func records(_ target: RequestTarget) throws(OperatorFailure) -> Response {
        let count = try limit(target, default: 20)
        let filter = RecordFilter(function: target.parameter("function"), account: try account(target)?.description)
        let entries = services.newest(count, filter)
        return json(RecordsAnswer(records: entries.map(\.record)))
    }

    private func found(_ text: Substring) throws(OperatorFailure) -> RecordStore.Entry {
        guard let id = RequestID(text) else {
            throw OperatorFailure(
                .badRequest, "invalid_request_id", "'\(text)' is no request id: 8-4-4-4-12 lower-case digits.")
        }
        guard let entry = services.record(id) else {
            throw OperatorFailure(
                .notFound, "not_found", "Nothing is kept of \(id): it was not seen here, or newer calls took its place.")
        }
        return entry
    }

    /// The parameter `limit`, at most ``recordsMax``.
    func limit(_ target: RequestTarget, default standard: Int) throws(OperatorFailure) -> Int {
        guard let text = target.parameter("limit") else { return standard }
        guard let count = Int(text), count > 0 else {
            throw OperatorFailure(.badRequest, "invalid_limit", "The limit '\(text)' is no positive number.")
        }
        return min(count, Self.recordsMax)
    }

    private func pools() async -> any Encodable & Sendable {
        guard let capacity = services.capacity else { return await services.pools() }
        return await capacity.pools()
    }

    static func unknown(_ target: RequestTarget) -> OperatorFailure {
        OperatorFailure(.notFound, "unknown_path", "The operator's API has no \(target.path.prefix(200)).")
    }

    func json(_ value: any Encodable, _ status: HTTPResponse.Status = .ok) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let document = try? encoder.encode(value) else {
            return Response(status: .internalServerError, body: ResponseBody(byteBuffer: ByteBuffer(string: "{\"error\":\"encoding\"}")))
        }
        return Response(
            status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: ByteBuffer(bytes: document)))
    }

    private func text(_ text: ByteBuffer) -> Response {
        Response(status: .ok, headers: [.contentType: "text/plain; charset=utf-8"], body: ResponseBody(byteBuffer: text))
    }
}
