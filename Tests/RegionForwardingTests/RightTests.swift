import EngineCore
import Foundation
import Testing

@testable import RegionForwarding

/// What certificates permit, and how they are replaced.
@Suite struct RightTests {
    private func account(_ number: String) throws -> AccountID { try #require(AccountID(number)) }

    @Test(arguments: ["all", "none", "123456789012", "123456789012,210987654321"])
    func `a certificate says for which accounts its node may forward`(text: String) async throws {
        let right = try ForwardingRight(text: text)
        try await withDirectory { directory in
            try CertificateAuthority.create(in: directory).issue(node: "pop-1", hosts: ["127.0.0.1"], forwarding: right)
            let certificate = try CertificateTests.certificate("\(directory)/pop-1.pem")
            #expect(certificate.node == "pop-1" && certificate.forwarding == right)
            #expect(try CertificateTests.openssl("x509", "-noout", "-serial", "-in", "\(directory)/pop-1.pem")
                == "serial=\(certificate.serial)\n")
            let (first, second) = (try account("123456789012"), try account("210987654321"))
            #expect(certificate.forwarding.permits(first) == (text != "none"))
            #expect(certificate.forwarding.permits(second) == (text == "all" || text.contains(",")))
        }
    }

    @Test(arguments: ["", "ALL", "1234", "123456789012,", "123456789012 210987654321"])
    func `what is no right is refused`(text: String) {
        #expect { try ForwardingRight(text: text) } throws: { ($0 as? ForwardingError)?.code == .invalidName }
    }

    @Test func `reports to a node with limited rights leave out the functions of other accounts`() throws {
        let rows = ["123456789012", "210987654321"].map { account in
            RegionReport.Row(
                sequence: 1, revision: account, function: "arn:aws:lambda:eu-central-1:\(account):function:hello", version: .latest,
                held: true, calls: 0, idle: 0)
        }
        let report = RegionReport(
            node: "region-1", epoch: "e", sequence: 1, more: false, load: 0, saturated: false, draining: false, rows: rows)
        #expect(report.limited(to: .all).rows.count == 2)
        #expect(report.limited(to: .none).rows.isEmpty)
        #expect(report.limited(to: .accounts([try account("210987654321")])).rows.map(\.revision) == ["210987654321"])
    }

    @Test func `a new certificate is taken over, and one that cannot be used is not`() async throws {
        try await withDirectory { directory in
            let authority = try CertificateAuthority.create(in: directory)
            for node in ["pop-1", "pop-2"] { try authority.issue(node: node, hosts: []) }
            let identity = try NodeIdentity(directory: directory, node: "pop-1")
            let first = identity.certificate
            #expect(try !identity.reload())

            try authority.issue(node: "pop-1", hosts: [], forwarding: .none, replacing: true)
            #expect(try identity.reload())
            let second = identity.certificate
            #expect(second.serial != first.serial && second.forwarding == .none && identity.generation == 1)

            let key = try String(contentsOfFile: "\(directory)/pop-1.key", encoding: .utf8)
            let certificate = try String(contentsOfFile: "\(directory)/pop-1.pem", encoding: .utf8)
            let others = try (1...2).map { try String(contentsOfFile: "\(directory)/pop-2.\($0 == 1 ? "key" : "pem")", encoding: .utf8) }
            let pairs = [(others[0], certificate), (key, others[1]), (others[0], others[1]), ("", certificate), (key, "x")]
            for (newKey, newCertificate) in pairs {
                try newKey.write(toFile: "\(directory)/pop-1.key", atomically: true, encoding: .utf8)
                try newCertificate.write(toFile: "\(directory)/pop-1.pem", atomically: true, encoding: .utf8)
                #expect { try identity.reload() } throws: { ($0 as? ForwardingError)?.code == .invalidCertificate }
                #expect(identity.certificate == second && identity.generation == 1)
            }
            try authority.issue(node: "pop-1", hosts: [], days: 1, replacing: true)
            #expect {
                try identity.reload(now: Date() + 2 * 86_400)
            } throws: {
                ($0 as? ForwardingError)?.message.contains("valid from") == true
            }
            #expect(try identity.reload())
        }
    }
}
