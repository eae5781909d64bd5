internal import EngineCore
internal import NIOCore
internal import NIOEmbedded
internal import NIOHTTP1

/// Bytes of a function into the proxy's HTTP decoder and ``EgressRequest``; what would be sent on is read again by another decoder.
///
/// A target reads exactly one request, for the host that was checked, of the length that the proxy read.
func fuzzEgressRequests(_ bytes: UnsafeRawBufferPointer) {
    for head in heads(in: ByteBuffer(bytes: bytes)).heads {
        guard let request = try? EgressRequest(head) else { continue }
        check((1...65535).contains(request.port), "a port that is none")
        switch request.host {
        case .name(let name): check(EgressPolicy.canonicalName(name) == name, "a name in another form: \(name)")
        case .address(let address): check(IPAddress(address.description) == address, "an address that is none")
        }
        switch request.kind {
        case .tunnel: check(head.method == .CONNECT, "a tunnel that was not asked for")
        case .exchange(let uri): checkForwarded(request, head, uri)
        }
    }
}

private func checkForwarded(_ request: EgressRequest, _ head: HTTPRequestHead, _ uri: String) {
    let forwarded = request.forwarded(head, uri: uri)
    let isChunked = !head.headers["transfer-encoding"].isEmpty
    let length = head.headers["content-length"].first.flatMap { Int($0) } ?? 0
    guard length <= 64 else { return }
    var wire = encoded(forwarded)
    // A body that is a request itself, should somebody take it for one.
    let body = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n-------------".utf8.prefix(length))
    if isChunked { wire.writeString("5\r\nGET /\r\n0\r\n\r\n") } else { wire.writeBytes(body) }
    let (received, ends, failed) = heads(in: wire)
    check(!failed, "the target cannot read what is sent on")
    check(received.count == 1 && ends == 1, "the target reads \(received.count) requests and \(ends) ends in place of one")
    check(received[0].method == head.method && received[0].uri == uri, "the target reads another request")
    let hosts = received[0].headers["host"]
    check(
        hosts == [request.target] || hosts == [request.host.text] && request.port == 80, "the target reads another host: \(hosts)")
    for name in ["proxy-authorization", "proxy-connection", "upgrade", "keep-alive"] {
        check(!received[0].headers.contains(name: name), "\(name) is sent on")
    }
}

private func encoded(_ head: HTTPRequestHead) -> ByteBuffer {
    var configuration = HTTPRequestEncoder.Configuration()
    configuration.automaticallySetFramingHeaders = false
    let channel = EmbeddedChannel(handler: HTTPRequestEncoder(configuration: configuration))
    var wire = ByteBuffer()
    try? channel.writeOutbound(HTTPClientRequestPart.head(head))
    while let part = try? channel.readOutbound(as: ByteBuffer.self) { wire.writeImmutableBuffer(part) }
    _ = try? channel.finish(acceptAlreadyClosed: true)
    return wire
}

private func heads(in bytes: ByteBuffer) -> (heads: [HTTPRequestHead], ends: Int, failed: Bool) {
    let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
    let failed = (try? channel.writeInbound(bytes)) == nil
    var heads: [HTTPRequestHead] = []
    var ends = 0
    while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
        switch part {
        case .head(let head): heads.append(head)
        case .end: ends += 1
        case .body: break
        }
    }
    _ = try? channel.finish(acceptAlreadyClosed: true)
    return (heads, ends, failed)
}
