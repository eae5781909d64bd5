internal import ArgumentParser
internal import RegionForwarding

struct CertCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cert", abstract: "The certificates that nodes know each other by.", subcommands: [CertInit.self])
}

struct CertInit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Makes a private authority, unless there is one, and certificates for nodes.",
        discussion: """
            Writes ca.pem and ca.key, and NODE.pem and NODE.key for each node. A node needs its own two files and ca.pem; keep ca.key away
            from the nodes. Run it again with another --node to add one, or with --replace to renew one: nodes notice new files by
            themselves. To give a fleet a new authority, make it in another folder, give all nodes both ca.pem in one file, then the new
            certificates, then the new ca.pem alone.
            """)

    @Option(help: "The folder for the files; made if absent.")
    var directory: String

    @Option(name: .customLong("node"), help: "A node's name, as its node.name; may be repeated.")
    var nodes: [String]

    @Option(name: .customLong("host"), help: "A DNS name or IP address to add to these nodes' certificates; may be repeated.")
    var hosts: [String] = []

    @Option(
        help: "For which accounts these nodes may forward calls and send code: 'all', 'none' or numbers with commas between.",
        transform: { text in
            do throws(ForwardingError) { return try ForwardingRight(text: text) } catch { throw ValidationError(error.message) }
        })
    var forward: ForwardingRight = .all

    @Option(help: "How long the nodes' certificates are valid.")
    var days = 365

    @Flag(help: "Replaces the files of nodes that have some already.")
    var replace = false

    func validate() throws {
        guard (1...3650).contains(days) else { throw ValidationError("--days is \(days); give 1 to 3650.") }
        if let name = nodes.first(where: { !NodeName.isValid($0) }) {
            throw ValidationError("--node is '\(name)'; give 1 to 63 of a-z, 0-9 and -, not - first or last.")
        }
    }

    func run() async throws {
        let authority: CertificateAuthority
        if CertificateAuthority.exists(in: directory) {
            authority = try CertificateAuthority(directory: directory)
        } else {
            authority = try CertificateAuthority.create(in: directory)
            print("made \(directory)/ca.pem and ca.key")
        }
        for node in nodes {
            do throws(ForwardingError) {
                try authority.issue(node: node, hosts: hosts, forwarding: forward, days: days, replacing: replace)
            } catch {
                throw CommandFailure(error.code == .fileExists ? "\(error.message) To replace it, give --replace." : error.message)
            }
            print("made \(directory)/\(node).pem and \(node).key")
        }
    }
}
