internal import AsyncHTTPClient
internal import EngineCore
internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import SystemPackage

/// Asks a node's operator API on its Unix socket.
struct OperatorClient {
    /// The largest answer taken.
    static let answerMax = 64 << 20

    let socket: FilePath

    /// - Parameter path: with its query, such as `/v1/pools`.
    /// - Returns: the body of a 200.
    func get(_ path: String) async throws -> Data { try await send(.GET, path) }

    /// - Returns: the body of a 200.
    func send(_ method: NIOHTTP1.HTTPMethod, _ path: String, body: [UInt8] = [], timeout: TimeAmount = .seconds(10)) async throws -> Data {
        guard let url = URL(httpURLWithSocketPath: socket.string, uri: path) else {
            throw CommandFailure("'\(socket)' cannot be a socket's path.")
        }
        var request = HTTPClientRequest(url: url.absoluteString)
        request.method = method
        if !body.isEmpty { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response: HTTPClientResponse
        do {
            response = try await ToolClient.http.execute(request, timeout: timeout)
        } catch {
            guard error as? HTTPClientError != .deadlineExceeded else {
                throw CommandFailure("The node did not answer within \(timeout.nanoseconds / 1_000_000_000) s.")
            }
            let reason = ToolClient.reason(error)
            throw CommandFailure("No node answers at \(socket): \(reason). Is `wayside serve` running, and is this its --data?")
        }
        let body = try await response.body.collect(upTo: Self.answerMax)
        let data = Data(body.readableBytesView)
        guard response.status == .ok else {
            let message = (try? JSONDecoder().decode([String: String].self, from: data))?["message"]
            let status = "\(response.status.code) \(response.status.reasonPhrase)"
            throw CommandFailure(message ?? "The node answered \(status) and says no more.")
        }
        return data
    }

    func get<Value: Decodable>(_ path: String, as _: Value.Type) async throws -> Value {
        try Self.decode(try await get(path), as: Value.self)
    }

    static func decode<Value: Decodable>(_ data: Data, as _: Value.Type) throws -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw CommandFailure("The node's answer is not understood (\(error)). Are program and node of the same version?")
        }
    }

    func record(_ id: String) async throws -> InvocationRecord {
        struct Answer: Decodable { let record: InvocationRecord }
        return try await get("/v1/records/\(LambdaClient.component(id))", as: Answer.self).record
    }

    /// The newest invocations, newest first.
    /// - Parameter function: a name or an ARN.
    func records(limit: Int, function: String?, account: String? = nil) async throws -> [InvocationRecord] {
        struct Answer: Decodable { let records: [InvocationRecord] }
        let filter = (function.map { "&function=\(LambdaClient.component($0))" } ?? "") + (account.map { "&account=\($0)" } ?? "")
        return try await get("/v1/records?limit=\(limit)\(filter)", as: Answer.self).records
    }
}
