import Testing

@testable import Engine

@Suite struct ChangedFilesTests {
    private func stamp(_ number: UInt64) -> ChangedFiles.Stamp { ChangedFiles.Stamp(modified: nil, size: 1, number: number) }

    @Test func `files that have changed are read when they have come to rest, and once`() {
        var files = ChangedFiles([stamp(1), stamp(2)])
        func look(_ present: [ChangedFiles.Stamp?]) -> Bool { files.look(present) }
        #expect(!look([stamp(1), stamp(2)]))
        // The certificate is new, and a look later the key.
        #expect(!look([stamp(3), stamp(2)]))
        #expect(!look([stamp(3), stamp(4)]))
        #expect(look([stamp(3), stamp(4)]))
        #expect(!look([stamp(3), stamp(4)]))
        // One is gone for a moment.
        #expect(!look([nil, stamp(4)]))
        #expect(!look([stamp(3), stamp(4)]))
        #expect(!look([nil, stamp(4)]))
        #expect(look([nil, stamp(4)]))
    }
}
