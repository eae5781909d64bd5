import EngineCore
import HTTPTypes
import NIOCore
import NIOHPACK

extension PeerTransport {
    /// Sends one request for its whole answer.
    ///
    /// - Parameters:
    ///   - answerBytesMax: a longer answer counts as `lost`.
    ///   - completion: called once, on the event loop of the connection, before this returns, or by who fails the exchange.
    func send(
        _ exchange: PeerExchange, answerBytesMax: Int, deadline: EngineInstant,
        completion: @escaping @Sendable (Result<RegionClient.Exchange, Failure>) -> Void
    ) {
        begin(exchange, deadline: .now() + TimeAmount(deadline - .now()))
        Self.collect(exchange, [], bytesMax: answerBytesMax, completion)
    }

    /// As ``send(_:answerBytesMax:deadline:completion:)``, for a task, whose cancellation fails the exchange.
    func send(
        _ exchange: PeerExchange, answerBytesMax: Int, deadline: EngineInstant
    ) async throws(Failure) -> RegionClient.Exchange {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                send(exchange, answerBytesMax: answerBytesMax, deadline: deadline) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            exchange.fail(.cancelled)
        }
        return try result.get()
    }

    /// Takes what has come, and what will, until the answer is whole.
    private static func collect(
        _ exchange: PeerExchange, _ taken: [ByteBuffer], bytesMax: Int,
        _ completion: @escaping @Sendable (Result<RegionClient.Exchange, Failure>) -> Void
    ) {
        exchange.when(.bulk(byteCount: streamWindowBytes / 2)) {
            // Joined once, at the end: a part that is added to what another closure holds would copy all of that.
            var parts = taken
            do throws(Failure) {
                while true {
                    let (part, isEnded) = try exchange.take()
                    if let part {
                        parts.append(part)
                        guard parts.reduce(0, { $0 + $1.readableBytes }) <= bytesMax else {
                            let error = ForwardingError(.invalidAnswer, "The answer has more than \(bytesMax) bytes.")
                            exchange.fail(.lost(error))
                            throw .lost(error)
                        }
                    }
                    if isEnded { return completion(.success(RegionClient.Exchange(status: try exchange.status() ?? 0, body: join(parts)))) }
                    if part == nil { break }
                }
            } catch {
                return completion(.failure(exchange.hasHead ? error.midAnswer : error))
            }
            collect(exchange, parts, bytesMax: bytesMax, completion)
        }
    }

    private static func join(_ parts: [ByteBuffer]) -> ByteBuffer {
        guard parts.count != 1 else { return parts[0] }
        var whole = ByteBuffer()
        whole.reserveCapacity(parts.reduce(0) { $0 + $1.readableBytes })
        for part in parts { whole.writeImmutableBuffer(part) }
        return whole
    }

    /// Sends one request and hands its answer to `use`, which may read the body as slowly as it likes.
    ///
    /// - Parameter headDeadline: how long the answer's head may take.
    /// - Throws: what `use` throws is `lost`, unless it is a `Failure` itself.
    func withAnswer<Value>(
        _ head: HPACKHeaders, body: RequestBody?, headDeadline: NIODeadline,
        _ use: (_ status: Int, _ body: PeerAnswerBody) async throws -> Value
    ) async throws(Failure) -> Value {
        let exchange = PeerExchange(head: head, body: body, limitsHeadOnly: true)
        // Where the answer has not been read to its end, the stream is reset.
        defer { exchange.fail(.cancelled) }
        let result = await withTaskCancellationHandler { () async -> Result<Value, Failure> in
            begin(exchange, deadline: headDeadline)
            await exchange.wait(for: .head)
            do {
                return .success(try await use(try exchange.status() ?? 0, PeerAnswerBody(exchange: exchange)))
            } catch {
                return .failure(error as? Failure ?? .lost(error))
            }
        } onCancel: {
            exchange.fail(.cancelled)
        }
        return try result.get()
    }

    /// The head of a request as HTTP/2 has it.
    /// - Parameter bodyByteCount: `nil`: it has no body.
    static func head(
        _ method: HTTPRequest.Method, _ path: String, authority: String, fields: HTTPFields, bodyByteCount: Int?
    ) -> HPACKHeaders {
        var head = HPACKHeaders()
        head.reserveCapacity(fields.count + 5)
        head.add(name: ":method", value: method.rawValue)
        head.add(name: ":scheme", value: "https")
        head.add(name: ":authority", value: authority)
        head.add(name: ":path", value: path)
        for field in fields {
            head.add(name: field.name.canonicalName, value: field.value)
        }
        return bodyByteCount.map { self.head(head, bodyByteCount: $0) } ?? head
    }

    /// A head with the length of a body.
    static func head(_ prepared: HPACKHeaders, bodyByteCount: Int) -> HPACKHeaders {
        var head = prepared
        // What is of one request alone would only push the rest out of the table.
        head.add(name: "content-length", value: String(bodyByteCount), indexing: .nonIndexable)
        return head
    }
}

/// The bytes of an answer as they come. Read once; a slow reader stops the sender.
struct PeerAnswerBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    fileprivate let exchange: PeerExchange

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let exchange: PeerExchange

        /// - Throws: a `RegionClient.Failure`.
        mutating func next() async throws -> ByteBuffer? {
            while true {
                await exchange.wait(for: .part)
                let (part, isEnded) = try exchange.take()
                if let part { return part }
                if isEnded { return nil }
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(exchange: exchange) }
}

extension RegionClient.Failure {
    /// What it is when the answer had begun.
    fileprivate var midAnswer: Self {
        switch self {
        case .lost(let error): .cutOff(error)
        case .late: .cutOff(ForwardingError(.invalidAnswer, "The answer took longer than the call may."))
        case .full, .cancelled, .cutOff: self
        }
    }
}
