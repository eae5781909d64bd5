import AsyncHTTPClient
import EngineCore
import Foundation
import Frontend
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOSSL
import RegionForwarding
import Testing

/// Who and what the peers' server and client refuse.
@Suite(.timeLimit(.minutes(1))) struct PeerRefusalTests {
    /// One request as some program might send it.
    struct Probe: Sendable {
        var method = "GET"
        var path = ForwardWire.healthPath
        var fields: [(String, String)] = [("wayside-protocol", ForwardWire.protocolVersion), ("wayside-origin", "pop-1")]
        var body: ByteBuffer?
        var http1 = false
    }

    /// - Returns: the status and, of an error, the code.
    static func send(_ probe: Probe, port: Int, tls: TLSConfiguration) async throws -> (status: Int, code: String?) {
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.dnsOverride = ["region-1": "127.0.0.1"]
        configuration.connectionPool.retryConnectionEstablishment = false
        if probe.http1 { configuration.httpVersion = .http1Only }
        let client = HTTPClient(configuration: configuration)
        do {
            var request = HTTPClientRequest(url: "https://region-1:\(port)\(probe.path)")
            request.method = .RAW(value: probe.method)
            for (name, value) in probe.fields { request.headers.add(name: name, value: value) }
            if let body = probe.body { request.body = .bytes(body) }
            let answer = try await client.execute(request, timeout: .seconds(10))
            let body = try await answer.body.collect(upTo: 1 << 20)
            try await client.shutdown()
            return (Int(answer.status.code), ForwardedFailure(status: Int(answer.status.code), body: body)?.code)
        } catch {
            try await client.shutdown()
            throw error
        }
    }

    @Test func `a client without a certificate of the fleet is refused in the handshake`() async throws {
        try await Fleet.with { fleet in
            try await Fleet.with { others in
                try await TestRegion.with(fleet) { region in
                    let mine = try fleet.identity("pop-1").clientConfiguration
                    #expect(try await Self.send(Probe(), port: region.now.port, tls: mine).status == 200)

                    var bare = mine
                    bare.certificateChain = []
                    bare.privateKey = nil
                    await #expect(throws: (any Error).self) { try await Self.send(Probe(), port: region.now.port, tls: bare) }

                    var foreign = try others.identity("pop-1").clientConfiguration
                    foreign.trustRoots = mine.trustRoots
                    await #expect(throws: (any Error).self) { try await Self.send(Probe(), port: region.now.port, tls: foreign) }
                }
            }
        }
    }

    @Test func `a client that speaks HTTP/1.1 gets no answer`() async throws {
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet) { region in
                let tls = try fleet.identity("pop-1").clientConfiguration
                await #expect(throws: (any Error).self) { try await Self.send(Probe(http1: true), port: region.now.port, tls: tls) }
            }
        }
    }

    @Test func `a server that is not the region it is called by gets no call`() async throws {
        try await Fleet.with { fleet in
            try await Fleet.with { others in
                let handler: TestRegion.Handler = { .success($0.payload) }
                for (owner, certificate) in [(others, "region-1"), (fleet, "region-2")] {
                    try await TestRegion.with(owner, name: "region-1", certificate: certificate, handler: handler) { impostor in
                        try await fleet.withClient(port: impostor.now.port) { client in
                            await #expect {
                                try await client.forward(try Fleet.request(), reason: .uncommon)
                            } throws: {
                                ($0 as? InvocationError)?.code == .overloaded
                            }
                            #expect(!client.isReachable())
                            #expect(impostor.now.requests.isEmpty)
                        }
                    }
                }
            }
        }
    }

    static let zip = ForwardWire.bundlesPath + "/" + String(repeating: "cd", count: 32)

    @Test(arguments: [
        (Probe(fields: [("wayside-protocol", ForwardWire.protocolVersion), ("wayside-origin", "pop-2")]), 403, "forbidden"),
        (Probe(fields: [("wayside-protocol", ForwardWire.protocolVersion)]), 403, "forbidden"),
        (Probe(fields: [("wayside-protocol", "1"), ("wayside-origin", "pop-1")]), 400, "unsupported_protocol"),
        // As a node of version 1 asks.
        (
            Probe(method: "POST", path: "/wayside/v1/invocations", fields: [("wayside-protocol", "1"), ("wayside-origin", "pop-1")],
                body: ByteBuffer(string: "{}")),
            400, "unsupported_protocol"
        ),
        (Probe(fields: [("wayside-origin", "pop-1")]), 400, "unsupported_protocol"),
        (Probe(path: "/wayside/v2/secrets"), 404, "not_found"),
        (Probe(method: "DELETE", path: zip), 404, "not_found"),
        (Probe(method: "PUT", path: ForwardWire.bundlesPath + "/../x"), 404, "not_found"),
        (Probe(method: "PUT", path: zip, body: ByteBuffer(repeating: 0, count: 1001)), 413, "body_too_large"),
        (Probe(method: "PUT", path: zip, body: ByteBuffer(string: "other")), 502, "code_unavailable"),
        (Probe(method: "PUT", path: ForwardWire.versionsPath, body: ByteBuffer(string: "{}")), 400, "invalid_request"),
        (Probe(method: "POST", path: ForwardWire.invocationsPath, body: ByteBuffer(string: "{}")), 400, "invalid_request"),
        (
            Probe(
                method: "POST", path: ForwardWire.invocationsPath, body: ByteBuffer(repeating: 0, count: 2001 + ForwardWire.callBytesMax)),
            413, "body_too_large"
        ),
    ])
    func `a request that is not as the protocol says is refused with a status and a code`(
        probe: Probe, status: Int, code: String
    ) async throws {
        var limits = PeerLimits()
        limits.bundleBytesMax = 1000
        limits.payloadBytesMax = 2000
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet, limits: limits) { region in
                let answer = try await Self.send(probe, port: region.now.port, tls: try fleet.identity("pop-1").clientConfiguration)
                #expect(answer.status == status)
                #expect(answer.code == code)
                #expect(region.now.requests.isEmpty)
            }
        }
    }

    @Test(arguments: [("none", false), ("123456789012", true), ("210987654321", false), ("all", true)])
    func `a node forwards, and sends code, for those accounts only that its certificate names`(
        text: String, isPermitted: Bool
    ) async throws {
        try await Fleet.with { fleet in
            try CertificateAuthority(directory: fleet.directory)
                .issue(node: "pop-1", hosts: [], forwarding: try ForwardingRight(text: text), replacing: true)
            let tls = try fleet.identity("pop-1").clientConfiguration
            try await TestRegion.with(fleet) { region in
                let request = try Fleet.request()
                var body = ForwardedInvocation(request, reason: .uncommon, origin: "pop-1", now: request.arrival).opening()
                body.writeString("{}")
                let call = Probe(method: "POST", path: ForwardWire.invocationsPath, body: body)
                let version = Probe(
                    method: "PUT", path: ForwardWire.versionsPath,
                    body: ByteBuffer(bytes: try JSONEncoder().encode(try Fleet.version())))
                for (probe, status) in [(call, 200), (version, 204)] {
                    let answer = try await Self.send(probe, port: region.now.port, tls: tls)
                    #expect(answer.status == (isPermitted ? status : 403))
                    #expect(answer.code == (isPermitted ? nil : "forbidden"))
                }
                let package = Probe(method: "HEAD", path: Self.zip)
                #expect(try await Self.send(package, port: region.now.port, tls: tls).status == (text == "none" ? 403 : 404))
                #expect(try await Self.send(Probe(), port: region.now.port, tls: tls).status == 200)
                #expect(region.now.requests.count == (isPermitted ? 1 : 0))
                #expect(region.now.holdCount == (isPermitted ? 1 : 0))
            }
        }
    }

    @Test func `an invocation without payload is refused`() async throws {
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet) { region in
                let request = try Fleet.request()
                let opening = ForwardedInvocation(request, reason: .uncommon, origin: "pop-1", now: request.arrival).opening()
                let probe = Probe(method: "POST", path: ForwardWire.invocationsPath, body: opening)
                let answer = try await Self.send(probe, port: region.now.port, tls: try fleet.identity("pop-1").clientConfiguration)
                #expect(answer.status == 400)
                #expect(answer.code == "invalid_request")
            }
        }
    }

    @Test func `a version whose package is missing is not kept`() async throws {
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet, holding: []) { region in
                let document = ByteBuffer(bytes: try JSONEncoder().encode(try Fleet.version()))
                let answer = try await Self.send(
                    Probe(method: "PUT", path: ForwardWire.versionsPath, body: document), port: region.now.port,
                    tls: try fleet.identity("pop-1").clientConfiguration)
                #expect(answer.status == 502)
                #expect(answer.code == "code_unavailable")
                #expect(region.now.holdCount == 0)
            }
        }
    }

    @Test(arguments: ["http://127.0.0.1:1", "127.0.0.1:1", "https://127.0.0.1", "https://127.0.0.1:1/x", ""])
    func `what is no address of a region is refused`(url: String) async throws {
        try await Fleet.with { fleet in
            let identity = try fleet.identity("pop-1")
            #expect {
                try RegionClient(
                    peer: RegionPeer(name: "region-1", url: url), identity: identity, logger: Fleet.logger,
                    package: { _ in ByteBuffer() })
            } throws: {
                ($0 as? ForwardingError)?.code == .invalidName
            }
        }
    }
}
