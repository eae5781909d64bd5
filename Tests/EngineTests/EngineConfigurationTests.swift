import Foundation
import SystemPackage
import Testing

@testable import Engine

@Suite struct EngineConfigurationTests {
    /// Reads `yaml` as a configuration; where the programs lie is given, because a test runs from elsewhere.
    private func read(_ yaml: String) async throws -> EngineConfiguration {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folder = FileManager.default.temporaryDirectory.appending(path: "wayside-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data().write(to: folder.appending(path: "wayside-launcher"))
        let programs = "programs:\n  sandbox: \(folder.path)\n  runtimes: \(root.path)/Runtimes\n"
        try (programs + yaml).write(to: folder.appending(path: "c.yaml"), atomically: false, encoding: .utf8)
        return try await EngineConfiguration(file: FilePath(folder.appending(path: "c.yaml").path))
    }

    @Test func `what a file does not say has its default`() async throws {
        let configuration = try await read("node:\n  name: pop-7\n")
        #expect(configuration.nodeName == "pop-7")
        #expect(configuration.apiListen == .init(host: "127.0.0.1", port: 9000))
        #expect(configuration.peers == nil)
        #expect(configuration.operatorSocket == "/var/lib/wayside/operator.sock")
    }

    @Test(arguments: [
        ("node:\n  nmae: x\n", "node.nmae"), ("node:\n  name: Upper\n", "node.name"), ("node:\n  data: relative\n", "node.data"),
        ("api:\n  listen: \"\"\n", "api.listen"), ("api:\n  listen: host:99999\n", "api.listen"),
        ("api:\n  certificate: /x.pem\n", "api.key"), ("peers:\n  regions: [one]\n", "peers.regions"),
        ("peers:\n  regions: [\"one=https://h:1\"]\n", "peers.certificate"), ("node:\n  role: region\n", "peers.listen"),
        ("capacity:\n  warming: [python]\n", "capacity.warming"), ("capacity:\n  containersMax: 0\n", "capacity.containersMax"),
        ("placement:\n  frequentCalls: 1.0\n", "placement"), ("log:\n  level: loud\n", "log.level"), ("api: 7\n", "api"),
    ])
    func `a bad value is refused by its name`(yaml: String, named: String) async throws {
        let error = await #expect(throws: ConfigurationError.self) { _ = try await read(yaml) }
        #expect(error?.message.contains(named) == true, "\(error?.message ?? "no error")")
    }
}
