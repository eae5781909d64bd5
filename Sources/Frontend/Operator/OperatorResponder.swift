import EngineCore
import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import Telemetry

/// The answers of the operator's API.
struct OperatorResponder: Sendable {
    /// Records in one answer, whatever the caller asks for.
    static let recordsMax = 1000

    let services: OperatorServices

    func answer(_ request: Request) async -> Response {
        let target = RequestTarget(request.head.path ?? "/")
        let parts = target.path.split(separator: "/")
        guard request.method == .get, parts.first == "v1" else { return unknown(target) }
        switch (parts.dropFirst().first, parts.count) {
        case ("records", 2): return records(target)
        case ("records", 3): return await found(parts[2]) { json(RecordAnswer($0)) }
        case ("logs", 3): return await found(parts[2]) { text($0.log.text) }
        case ("pools", 2): return json(await services.pools())
        case ("status", 2): return json(await services.status())
        default: return unknown(target)
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

    private func records(_ target: RequestTarget) -> Response {
        let limit = target.parameter("limit") ?? "20"
        guard let count = Int(limit), count > 0 else {
            return json(Failure(error: "invalid_limit", message: "The limit '\(limit)' is no positive number."), .badRequest)
        }
        let account = target.parameter("account")
        if let account, AccountID(account) == nil {
            return json(Failure(error: "invalid_account", message: "'\(account)' is no account: 12 digits."), .badRequest)
        }
        let filter = RecordFilter(function: target.parameter("function"), account: account)
        let entries = services.newest(min(count, Self.recordsMax), filter)
        return json(RecordsAnswer(records: entries.map(\.record)))
    }

    private func found(_ id: Substring, _ answer: (RecordStore.Entry) -> Response) async -> Response {
        guard let id = RequestID(id) else {
            return json(
                Failure(error: "invalid_request_id", message: "'\(id)' is no request id: 8-4-4-4-12 lower-case digits."), .badRequest)
        }
        guard let entry = services.record(id) else {
            return json(
                Failure(error: "not_found", message: "Nothing is kept of \(id): it was not seen here, or newer calls took its place."),
                .notFound)
        }
        return answer(entry)
    }

    private func unknown(_ target: RequestTarget) -> Response {
        json(Failure(error: "unknown_path", message: "The operator's API has no \(target.path.prefix(200))."), .notFound)
    }

    private func json(_ value: any Encodable, _ status: HTTPResponse.Status = .ok) -> Response {
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
