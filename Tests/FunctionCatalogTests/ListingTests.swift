import EngineCore
import Foundation
import FunctionCatalog
import Testing

@Suite struct ListingTests {
    let directory: TemporaryDirectory
    let catalog: Catalog

    init() throws {
        directory = try TemporaryDirectory()
        catalog = try makeCatalog(directory)
    }

    /// Every page of a list, one after the other.
    private func pages(_ page: (String?) throws -> (entries: [FunctionEntry], next: String?)) throws -> [[String]] {
        var result: [[String]] = []
        var marker: String?
        repeat {
            let (entries, next) = try page(marker)
            result.append(entries.map { "\($0.key.name):\($0.version)" })
            marker = next
        } while marker != nil && result.count < 100
        return result
    }

    @Test func `functions are listed by name, page by page, without another region's`() throws {
        for name in ["b", "d", "a", "e", "c"] { try catalog.make(key(name), publish: name == "c") }
        try catalog.make(key("bb", in: "us-east-1"))
        let listed = try pages { try catalog.list(account: alice, region: "eu-west-1", allVersions: false, after: $0, limit: 2) }
        #expect(listed == [["a:$LATEST", "b:$LATEST"], ["c:$LATEST", "d:$LATEST"], ["e:$LATEST"]])
        let all = try pages { try catalog.list(account: alice, region: "eu-west-1", allVersions: true, after: $0, limit: 3) }
        #expect(all == [["a:$LATEST", "b:$LATEST", "c:$LATEST"], ["c:1", "d:$LATEST", "e:$LATEST"]])
        #expect(try pages { try catalog.list(account: bob, region: "eu-west-1", allVersions: true, after: $0, limit: 3) } == [[]])
    }

    @Test func `versions are listed from $LATEST upward in the order of numbers, not of their texts`() throws {
        try catalog.make(publish: true)
        for digit in 2...11 { _ = try catalog.updateCode(key(), code: code(digit), expecting: nil, publish: true) }
        let listed = try pages { try catalog.versions(key(), after: $0, limit: 5) }
        #expect(listed.flatMap { $0 } == ["hello:$LATEST"] + (1...11).map { "hello:\($0)" })
        #expect(listed.map(\.count) == [5, 5, 2])
    }

    @Test func `a marker stays good when what it names is deleted and others are added`() throws {
        for name in ["a", "b", "c", "d"] { try catalog.make(key(name)) }
        let (_, marker) = try catalog.list(account: alice, region: "eu-west-1", allVersions: false, after: nil, limit: 2)
        _ = try catalog.delete(key("b"), version: nil)
        try catalog.make(key("bb"))
        let (entries, next) = try catalog.list(account: alice, region: "eu-west-1", allVersions: false, after: marker, limit: 10)
        #expect(entries.map { $0.key.name } == ["bb", "c", "d"])
        #expect(next == nil)
    }

    static let noMarkers = [
        "", "?", "hello", "aGVsbG8=", Data("f/x/name".utf8).base64EncodedString(), Data("f/-1/name".utf8).base64EncodedString(),
        Data("f/0/".utf8).base64EncodedString(), Data("v/99999999999999999999".utf8).base64EncodedString(),
        Data([0x66, 0x2F, 0x30, 0x2F, 0xFF]).base64EncodedString(), String(repeating: "QUJD", count: 1000),
    ]

    @Test(arguments: noMarkers) func `a made-up marker is refused`(marker: String) throws {
        try catalog.make()
        expectError(.markerInvalid) {
            try catalog.list(account: alice, region: "eu-west-1", allVersions: false, after: marker, limit: 10)
        }
        expectError(.markerInvalid) { try catalog.versions(key(), after: marker, limit: 10) }
    }

    @Test func `a marker of one list is refused by the other`() throws {
        try catalog.make(publish: true)
        try catalog.make(key("other"))
        let functions = try catalog.list(account: alice, region: "eu-west-1", allVersions: false, after: nil, limit: 1).next
        let versions = try catalog.versions(key(), after: nil, limit: 1).next
        #expect(functions != nil && versions != nil)
        expectError(.markerInvalid) { try catalog.versions(key(), after: functions, limit: 1) }
        expectError(.markerInvalid) {
            try catalog.list(account: alice, region: "eu-west-1", allVersions: true, after: versions, limit: 1)
        }
    }
}
