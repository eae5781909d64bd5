internal import EngineCore
internal import NIOHTTP1

/// What a function asks its proxy for, taken from a request's head (RFC 9112, sections 3.2.2 and 3.2.3).
///
/// A request that two programs could read differently is none: it is refused, never repaired.
struct EgressRequest: Hashable {
    enum Host: Hashable {
        /// In the form in which names are compared.
        case name(String)
        case address(IPAddress)

        var text: String {
            switch self {
            case .name(let name): name
            case .address(let address): address.authority
            }
        }
    }

    enum Kind: Hashable {
        /// CONNECT: bytes in both directions.
        case tunnel
        /// A plain request, with the path that the target is asked for.
        case exchange(uri: String)
    }

    /// Why a head is no request; the text goes into the answer.
    struct Malformed: Error, Hashable {
        let reason: String
    }

    let host: Host
    let port: Int
    let kind: Kind

    /// `host:port`
    var target: String { "\(host.text):\(port)" }

    init(_ head: HTTPRequestHead) throws(Malformed) {
        guard head.version.major == 1, head.version.minor <= 1 else { throw Malformed(reason: "only HTTP/1.1 and 1.0 are spoken here") }
        guard head.uri.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Malformed(reason: "the request's target has characters that must be escaped")
        }
        try Self.checkFraming(head)
        if head.method == .CONNECT {
            (host, port) = try Self.authority(head.uri[...], portDefault: nil)
            kind = .tunnel
        } else {
            let scheme = "http://"
            guard head.uri.prefix(scheme.count).lowercased() == scheme else {
                throw Malformed(
                    reason: head.uri.first == "/"
                        ? "this is a proxy: ask for http://host/path, or CONNECT host:port"
                        : "only http:// is relayed; use CONNECT host:port for everything else")
            }
            let rest = head.uri.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
            (host, port) = try Self.authority(rest[..<end], portDefault: 80)
            let path = rest[end...]
            guard !path.utf8.contains(UInt8(ascii: "#")) else { throw Malformed(reason: "a fragment (#) is never sent") }
            if path.isEmpty, head.method == .OPTIONS {
                kind = .exchange(uri: "*")
            } else {
                kind = .exchange(uri: path.first == "/" ? String(path) : "/" + path)
            }
        }
    }

    /// How long the body is must follow from one header alone (RFC 9112, section 6.3: request smuggling).
    private static func checkFraming(_ head: HTTPRequestHead) throws(Malformed) {
        let lengths = head.headers["content-length"]
        let codings = head.headers["transfer-encoding"]
        guard lengths.count <= 1, codings.count <= 1, lengths.isEmpty || codings.isEmpty else {
            throw Malformed(reason: "Content-Length and Transfer-Encoding: one of them, once")
        }
        if let length = lengths.first {
            guard (1...18).contains(length.utf8.count), length.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw Malformed(reason: "Content-Length is not a number")
            }
        }
        if let coding = codings.first {
            guard coding.lowercased() == "chunked", head.version.minor == 1 else {
                throw Malformed(reason: "the only Transfer-Encoding of a request is chunked, in HTTP/1.1")
            }
        }
        guard head.method != .CONNECT || (lengths.isEmpty && codings.isEmpty) else { throw Malformed(reason: "CONNECT has no body") }
        guard head.headers["host"].count <= 1 else { throw Malformed(reason: "more than one Host") }
    }

    /// `name:port`, `192.0.2.7:port` or `[2001:db8::7]:port`.
    private static func authority(_ text: Substring, portDefault: Int?) throws(Malformed) -> (Host, Int) {
        guard !text.utf8.contains(UInt8(ascii: "@")) else {
            throw Malformed(reason: "a user's name in a target is refused; send an Authorization header")
        }
        let hostEnd: Substring.Index
        let host: Host
        if text.first == "[" {
            guard let bracket = text.firstIndex(of: "]"), let address = IPAddress(text[text.index(after: text.startIndex)..<bracket]),
                text[..<bracket].utf8.contains(UInt8(ascii: ":"))
            else { throw Malformed(reason: "no IPv6 address in brackets") }
            hostEnd = text.index(after: bracket)
            host = .address(address)
        } else {
            hostEnd = text.firstIndex(of: ":") ?? text.endIndex
            if let address = IPAddress(text[..<hostEnd]) {
                host = .address(address)
            } else if let name = EgressPolicy.canonicalName(text[..<hostEnd]) {
                host = .name(name)
            } else {
                throw Malformed(reason: "neither a name, nor an IPv4 address of four decimal numbers, nor an IPv6 address in brackets")
            }
        }
        let rest = text[hostEnd...]
        if rest.isEmpty, let portDefault { return (host, portDefault) }
        let digits = rest.dropFirst()
        guard rest.first == ":", (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = Int(digits), (1...65535).contains(port)
        else { throw Malformed(reason: "behind the host belongs a colon and a port from 1 to 65535") }
        return (host, port)
    }

    // MARK: What goes on

    /// Headers that concern one connection only, beside those that `Connection` names (RFC 9110, section 7.6.1).
    private static let hopByHop = [
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    ]

    /// `headers` without what concerns the connection they came by.
    static func endToEnd(_ headers: HTTPHeaders) -> HTTPHeaders {
        var result = headers
        for name in headers[canonicalForm: "connection"] where name.lowercased() != "content-length" { result.remove(name: String(name)) }
        for name in hopByHop { result.remove(name: name) }
        return result
    }

    /// The head as the target gets it: its own `Host`, whatever the function wrote there, and the end of the connection announced.
    func forwarded(_ head: HTTPRequestHead, uri: String) -> HTTPRequestHead {
        var headers = Self.endToEnd(head.headers)
        headers.remove(name: "host")
        var result = HTTPHeaders([("Host", port == 80 ? host.text : target)])
        result.add(contentsOf: headers)
        if !head.headers["transfer-encoding"].isEmpty { result.add(name: "Transfer-Encoding", value: "chunked") }
        result.add(name: "Via", value: "1.\(head.version.minor) wayside")
        result.add(name: "Connection", value: "close")
        return HTTPRequestHead(version: .http1_1, method: head.method, uri: uri, headers: result)
    }
}
