internal import NIOCore
internal import NIOHTTP1

/// How far a plain request and its answer have come.
struct EgressExchange {
    /// The function has sent all of its request.
    var isRequestComplete = false
    /// The answer's head, not counting informational ones, has gone to the function.
    var hasAnswered = false
}

/// Bytes of a tunnel, and parts of a plain request and its answer.
extension EgressConnection {
    // MARK: CONNECT

    /// Says so to the function, and takes HTTP out of its side.
    func openTunnel() {
        let status = HTTPResponseStatus.custom(code: 200, reasonPhrase: "Connection established")
        client.writeAndFlush(HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: status)), promise: nil)
        let pipeline = client.pipeline.syncOperations
        do {
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let encoder = try pipeline.handler(type: HTTPResponseEncoder.self)
            let messages = try pipeline.handler(type: EgressEndHandler<HTTPServerRequestPart>.self)
            try pipeline.addHandler(EgressEndHandler<ByteBuffer>(.client, of: self) { self.forward($0, to: .target) })
            pipeline.removeHandler(messages, promise: nil)
            pipeline.removeHandler(encoder, promise: nil)
            pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in
                guard self.state == .relaying else { return }
                self.startReading()
            }
        } catch {
            // The pipeline is closing, and so this connection.
            finish(.clientGone)
        }
    }

    /// What was held goes first, then both ends are read.
    private func startReading() {
        gate?.release()
        writabilityChanged(of: .client)
        writabilityChanged(of: .target)
    }

    func forward(_ bytes: ByteBuffer, to end: End) {
        guard state == .relaying else { return }
        channel(end)?.write(bytes, promise: nil)
        yield(to: end)
    }

    /// Stops reading one end while the other has too much to take.
    private func yield(to end: End) {
        guard channel(end)?.isWritable == false else { return }
        setValve(end.other, open: false)
    }

    // MARK: Plain HTTP

    func beginExchange() {
        guard let request, let requestHead, case .exchange(let uri) = request.kind, let target else { return }
        target.write(HTTPClientRequestPart.head(request.forwarded(requestHead, uri: uri)), promise: nil)
        if exchange.isRequestComplete { target.write(HTTPClientRequestPart.end(nil), promise: nil) }
        flush(to: .target)
        startReading()
    }

    func relay(_ part: HTTPServerRequestPart) {
        guard let target, !exchange.isRequestComplete else { return }
        switch part {
        case .head: break
        case .body(let bytes): target.write(HTTPClientRequestPart.body(.byteBuffer(bytes)), promise: nil)
        case .end:
            exchange.isRequestComplete = true
            setValve(.client, open: false)
            target.write(HTTPClientRequestPart.end(nil), promise: nil)
        }
        yield(to: .target)
    }

    func relay(_ part: HTTPClientResponsePart) {
        guard state == .relaying else { return }
        switch part {
        case .head(let head): relay(head)
        case .body(let bytes): write(.body(.byteBuffer(bytes)))
        case .end: return leave()
        }
        yield(to: .client)
    }

    private func relay(_ head: HTTPResponseHead) {
        guard head.status != .switchingProtocols else { return refuse(.unreachable, "it changed the protocol without being asked to") }
        let isOld = requestHead?.version.minor == 0
        guard !(100..<200).contains(head.status.code) else {
            guard !isOld else { return }
            let headers = EgressRequest.endToEnd(head.headers)
            write(.head(HTTPResponseHead(version: .http1_1, status: head.status, headers: headers)))
            return
        }
        exchange.hasAnswered = true
        var headers = EgressRequest.endToEnd(head.headers)
        // With both, the coding decides (RFC 9112, section 6.3), and the length would contradict it.
        if head.headers.contains(name: "transfer-encoding") { headers.remove(name: "content-length") }
        let hasBody = requestHead?.method != .HEAD && head.status != .noContent && head.status != .notModified
        // Without a length the body ends in a way that tells its end from a break, where the function's HTTP knows one.
        if hasBody, !headers.contains(name: "content-length"), !isOld { headers.add(name: "Transfer-Encoding", value: "chunked") }
        headers.add(name: "Via", value: "1.\(head.version.minor) wayside")
        headers.add(name: "Connection", value: "close")
        write(.head(HTTPResponseHead(version: .http1_1, status: head.status, headers: headers)))
    }
}
