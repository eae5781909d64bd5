import Foundation
import Testing

/// The targets of `Package.swift` with the modules each may import, read from its own text.
struct Manifest {
    struct Target: Sendable, CustomTestStringConvertible {
        let name: String
        let folder: String
        let modules: Set<String>
        var testDescription: String { name }
    }

    let targets: [Target]

    init() throws {
        let manifest = try text(of: "Package.swift")
        var products: [String: String] = [:]
        for match in manifest.matches(of: /static let (\w+): Self = \.product\(name: "([^"]+)"/) {
            products[".\(match.1)"] = String(match.2)
        }
        targets = manifest.matches(of: /(library|tests)\(\s*"(\w+)",\s*\[([^\]]*)\]\s*\)/).map { match in
            let names = match.3.split(separator: ",").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { !$0.isEmpty }
            return Target(
                name: String(match.2), folder: "\(match.1 == "library" ? "Sources" : "Tests")/\(match.2)",
                modules: Set(names.map { products[$0] ?? $0.trimmingCharacters(in: ["\""]) }))
        }
    }
}

@Suite struct ImportTests {
    /// What comes with the toolchain.
    static let toolchain: Set<String> = ["Darwin", "Foundation", "Glibc", "Synchronization", "Testing"]
    static let targets = (try? Manifest().targets) ?? []

    @Test func `the manifest names every folder of Sources and every Swift folder of Tests`() throws {
        let manifest = try text(of: "Package.swift")
        // Fuzz targets are compiled by Tests/Fuzz/run.py, which instruments the modules they drive.
        let folders = Set(files(below: ["Sources", "Tests"], extensions: ["swift"]).map { $0.split(separator: "/")[1] })
        for folder in folders where folder != "Fuzz" {
            #expect(manifest.contains("\"\(folder)\"") || manifest.contains("\"Tests/\(folder)/"), "\(folder) is in no target")
        }
        #expect(Self.targets.count >= 8)
    }

    @Test(arguments: targets)
    func `a file imports only what its target depends on directly`(target: Manifest.Target) throws {
        let sources = files(below: [target.folder], extensions: ["swift"])
        #expect(!sources.isEmpty)
        for path in sources {
            let imports = try text(of: path).matches(
                of: /^(?:@testable )?(?:public |internal |package )?import (?:struct |class |func |enum )?(\w+)/.anchorsMatchLineEndings())
            for match in imports {
                let module = String(match.1)
                #expect(target.modules.contains(module) || Self.toolchain.contains(module), "\(path) imports \(module)")
            }
        }
    }
}
