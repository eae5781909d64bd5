internal import AsyncHTTPClient
internal import Crypto
internal import Foundation
internal import Frontend
internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1

/// Calls the Lambda API of a node, signed as the AWS tools sign.
struct LambdaClient {
    /// Above the largest answer, a payload of 6 MiB.
    static let answerMax = 32 << 20

    struct Answer {
        let status: Int
        let headers: HTTPHeaders
        let body: Data
    }

    let endpoint: URL
    let accessKeyID: String
    let secret: String
    let region: String

    /// An answer, whole; parameters and errors are those of ``open(_:_:headers:body:)``.
    func call(
        _ method: HTTPTypes.HTTPRequest.Method, _ path: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) async throws -> Answer {
        let response = try await open(method, path, headers: headers, body: body)
        return Answer(status: Int(response.status.code), headers: response.headers, body: try await collected(response))
    }

    /// - Parameters:
    ///   - path: percent-encoded, with its query.
    ///   - headers: lower-case names.
    /// - Returns: any answer of the API below 400, whose body is still to come.
    /// - Throws: `CommandFailure` with the API's own error otherwise.
    func open(
        _ method: HTTPTypes.HTTPRequest.Method, _ path: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) async throws -> HTTPClientResponse {
        let authority = (endpoint.host ?? "") + (endpoint.port.map { ":\($0)" } ?? "")
        var signed = HTTPTypes.HTTPRequest(method: method, scheme: endpoint.scheme, authority: authority, path: path)
        for (name, value) in headers {
            guard let name = HTTPField.Name(name), HTTPField.isValidValue(value) else {
                throw CommandFailure("The value of \(name) has line breaks or control characters, which no header can carry.")
            }
            signed.headerFields[name] = value
        }
        RequestSigner(accessKeyID: accessKeyID, secret: secret, region: region)
            .sign(&signed, bodyDigest: SHA256.hash(data: body), now: Int64(Date().timeIntervalSince1970))
        var request = HTTPClientRequest(url: "\(endpoint.scheme ?? "http")://\(authority)\(path)")
        request.method = HTTPMethod(rawValue: method.rawValue)
        request.headers.add(name: "host", value: authority)
        for field in signed.headerFields { request.headers.add(name: field.name.rawName, value: field.value) }
        if !body.isEmpty { request.body = .bytes(ByteBuffer(bytes: body)) }
        let response: HTTPClientResponse
        do {
            response = try await ToolClient.http.execute(request, timeout: .seconds(960))
        } catch {
            throw CommandFailure("No node answers at \(endpoint): \(ToolClient.reason(error)). Is `wayside serve` running there?")
        }
        guard response.status.code < 400 else {
            let data = try await collected(response)
            let name = response.headers.first(name: "x-amzn-errortype") ?? "\(response.status.code)"
            let fields = (try? JSONDecoder().decode([String: String].self, from: data)) ?? [:]
            let said = fields["message"] ?? fields["Message"] ?? String(decoding: data.prefix(500), as: UTF8.self)
            let text = said.isEmpty ? "the node refused the request and says no more (\(response.status.reasonPhrase))" : said
            let id = response.headers.first(name: "x-amzn-requestid")
            throw CommandFailure("\(name): \(text)\(id.map { " (request \($0))" } ?? "")", code: name, requestID: id)
        }
        return response
    }

    private func collected(_ response: HTTPClientResponse) async throws -> Data {
        do {
            return Data(try await response.body.collect(upTo: Self.answerMax).readableBytesView)
        } catch {
            throw CommandFailure("The answer of \(endpoint) was cut off (\(error)). Whether it did what was asked is not known.")
        }
    }

    /// A function's name or ARN as a path component.
    static func component(_ name: String) -> String {
        name.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-_.~"))) ?? name
    }
}
