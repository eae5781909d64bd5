import Foundation
import NIOSSL
import RegionForwarding
import Testing

/// A directory of its own, removed at the end.
func withDirectory<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let url = FileManager.default.temporaryDirectory.appending(path: "wayside-certificates-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    return try await body(url.path)
}

@Suite struct CertificateTests {
    static func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    static func name(_ path: String) throws -> String {
        try certificate(path).node
    }

    static func certificate(_ path: String) throws -> NodeCertificate {
        try NodeCertificate(derEncoded: try #require(try NIOSSLCertificate.fromPEMFile(path).first).toDERBytes())
    }

    @Test func `an authority issues certificates that name their nodes, and keys only their owner reads`() async throws {
        try await withDirectory { directory in
            let authority = try CertificateAuthority.create(in: directory)
            try authority.issue(node: "pop-1", hosts: ["127.0.0.1", "::1", "pop-1.example.org"])
            try authority.issue(node: "region-1", hosts: [])
            #expect(try Self.name("\(directory)/pop-1.pem") == "pop-1")
            #expect(try NodeIdentity(directory: directory, node: "region-1").name == "region-1")
            for name in ["ca", "pop-1", "region-1"] {
                #expect(try Self.mode("\(directory)/\(name).key") == 0o600)
                #expect(try Self.mode("\(directory)/\(name).pem") == 0o644)
            }
            let left = try FileManager.default.contentsOfDirectory(atPath: directory)
            #expect(Set(left) == ["ca.pem", "ca.key", "pop-1.pem", "pop-1.key", "region-1.pem", "region-1.key"])
        }
    }

    @Test func `a node can be added later, and its certificate is the authority's`() async throws {
        try await withDirectory { directory in
            _ = try CertificateAuthority.create(in: directory)
            #expect(CertificateAuthority.exists(in: directory))
            try CertificateAuthority(directory: directory).issue(node: "pop-9", hosts: ["127.0.0.1", "localhost"])
            let verdict = try Self.openssl(
                "verify", "-x509_strict", "-verify_ip", "127.0.0.1", "-purpose", "sslclient", "-CAfile", "\(directory)/ca.pem",
                "\(directory)/pop-9.pem")
            #expect(verdict.contains("pop-9.pem: OK"))
            let other = "\(directory)/other"
            _ = try CertificateAuthority.create(in: other)
            let refusal = try Self.openssl("verify", "-CAfile", "\(other)/ca.pem", "\(directory)/pop-9.pem")
            #expect(!refusal.contains("OK"))
            let text = try Self.openssl("x509", "-noout", "-text", "-in", "\(directory)/pop-9.pem")
            for part in [
                "URI:wayside://node/pop-9", "DNS:pop-9", "DNS:localhost", "IP Address:127.0.0.1", "CA:FALSE", "prime256v1",
            ] {
                #expect(text.contains(part), "\(part) is not in the certificate")
            }
        }
    }

    @Test func `nothing is replaced unasked`() async throws {
        try await withDirectory { directory in
            let authority = try CertificateAuthority.create(in: directory)
            try authority.issue(node: "pop-1", hosts: [])
            let before = try Data(contentsOf: URL(filePath: "\(directory)/pop-1.key"))
            #expect { try CertificateAuthority.create(in: directory) } throws: { ($0 as? ForwardingError)?.code == .fileExists }
            #expect { try authority.issue(node: "pop-1", hosts: []) } throws: { ($0 as? ForwardingError)?.code == .fileExists }
            try FileManager.default.removeItem(atPath: "\(directory)/pop-1.pem")
            #expect { try authority.issue(node: "pop-1", hosts: []) } throws: { ($0 as? ForwardingError)?.code == .fileExists }
            #expect(try Data(contentsOf: URL(filePath: "\(directory)/pop-1.key")) == before)
            try authority.issue(node: "pop-1", hosts: [], replacing: true)
            #expect(try Data(contentsOf: URL(filePath: "\(directory)/pop-1.key")) != before)
            #expect(try NodeIdentity(directory: directory, node: "pop-1").name == "pop-1")
        }
    }

    @Test(arguments: ["", "-a", "a-", "Pop", "a.b", "../x", "a b", "ca", String(repeating: "a", count: 64)])
    func `what is no node name is refused`(name: String) async throws {
        try await withDirectory { directory in
            let authority = try CertificateAuthority.create(in: directory)
            #expect { try authority.issue(node: name, hosts: []) } throws: { ($0 as? ForwardingError)?.code == .invalidName }
        }
    }

    @Test func `what is no host, no authority or no certificate of a node is refused with what to do`() async throws {
        try await withDirectory { directory in
            #expect { try CertificateAuthority(directory: directory) } throws: { ($0 as? ForwardingError)?.code == .fileFailed }
            let authority = try CertificateAuthority.create(in: directory)
            #expect { try authority.issue(node: "a", hosts: ["*.x"]) } throws: { ($0 as? ForwardingError)?.code == .invalidName }
            #expect { try Self.name("\(directory)/ca.pem") } throws: { ($0 as? ForwardingError)?.code == .invalidCertificate }
            #expect { try NodeCertificate(derEncoded: [1, 2]) } throws: {
                ($0 as? ForwardingError)?.code == .invalidCertificate
            }
            try Data("x".utf8).write(to: URL(filePath: "\(directory)/ca.key"))
            #expect { try CertificateAuthority(directory: directory) } throws: {
                ($0 as? ForwardingError)?.code == .invalidCertificate
            }
        }
    }

    /// The output of openssl(1), which every Debian has.
    static func openssl(_ arguments: String...) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: bytes, as: UTF8.self)
    }
}
