import Foundation
import Testing

/// The checkout, found from this file's own place.
let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// The project's own files below `folders` with one of `extensions`, as paths relative to the checkout.
func files(below folders: [String], extensions: Set<String>) -> [String] {
    folders.flatMap { folder -> [String] in
        let walker = FileManager.default.enumerator(atPath: root.appending(path: folder).path)
        return (walker?.compactMap { $0 as? String } ?? [])
            .filter { extensions.contains(URL(filePath: $0).pathExtension) }
            .map { "\(folder)/\($0)" }
    }.sorted()
}

func text(of path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
}

@Suite struct FileShapeTests {
    static let sources = files(below: ["Sources", "Sandbox", "Runtimes", "Tests"], extensions: ["swift", "c", "h", "py", "mjs", "rb"])

    @Test func `there are sources to look at`() {
        #expect(Self.sources.count > 50)
    }

    @Test(arguments: sources)
    func `a file is at most 500 lines of at most 140 columns, without tabs, trailing blanks or work left over`(path: String) throws {
        let lines = try text(of: path).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 500, "\(path) has \(lines.count) lines")
        for (index, line) in lines.enumerated() {
            #expect(line.count <= 140, "\(path):\(index + 1) has \(line.count) columns")
            #expect(line.last != " ", "\(path):\(index + 1) ends in a blank")
            #expect(!line.hasPrefix("\t"), "\(path):\(index + 1) is indented with a tab")
            for word in ["TO" + "DO", "FIX" + "ME", "X" + "XX"] {
                #expect(!line.contains(word), "\(path):\(index + 1) contains \(word)")
            }
        }
    }

    @Test func `every seccomp rule gives its reason`() throws {
        let rules = try ["seccomp_rules.def", "seccomp_zygote.def"].flatMap { try text(of: "Sandbox/Core/\($0)").split(separator: "\n") }
            .filter { rule in ["ALLOW", "REFUSE", "SETUP"].contains { rule.hasPrefix($0) } }
        #expect(rules.count > 100)
        for rule in rules {
            #expect(rule.contains(" \"") && rule.hasSuffix(")"), "no reason: \(rule)")
        }
    }
}
