import Configuration
import Foundation
import Testing
import Yams

@testable import Engine

/// `Config/wayside.yaml` is the reference: every key, commented, at the default the code has.
@Suite struct ConfigurationReferenceTests {
    private static let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Config/wayside.yaml")

    @Test func `the reference has every key at the default of the code, and no other`() throws {
        let text = try String(contentsOf: Self.path, encoding: .utf8)
        var documented: [String: String] = [:]
        func collect(_ value: Any, _ path: String) {
            if let mapping = value as? [String: Any] {
                for (key, value) in mapping { collect(value, path.isEmpty ? key : "\(path).\(key)") }
            } else {
                documented[path] = (value as? [Any]).map { $0.map { "\($0)" }.joined(separator: ",") } ?? "\(value)"
            }
        }
        collect(try #require(try Yams.load(yaml: text)), "")
        let defaults = ConfigurationKeys.defaults.mapValues { value in
            switch value.content {
            case .string(let text): text
            case .int(let number): "\(number)"
            case .double(let number): "\(number)"
            case .bool(let flag): "\(flag)"
            case .stringArray(let texts): texts.joined(separator: ",")
            default: "a type the reference cannot show"
            }
        }
        #expect(documented == defaults)
    }

    @Test func `every key of the reference is explained above it`() throws {
        let lines = try String(contentsOf: Self.path, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
        var isExplained = false
        for line in lines {
            let isKey = line.hasPrefix("  ") && !line.contains("#")
            if isKey { #expect(isExplained, "no comment above \(line)") }
            if line.hasPrefix("  #") { isExplained = true }
            if line.isEmpty || !line.hasPrefix(" ") { isExplained = false }
        }
    }
}
