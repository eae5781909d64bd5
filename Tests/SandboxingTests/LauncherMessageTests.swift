import Testing

@testable import Sandboxing

/// Messages of the launcher, as bytes; what is wrong with one is noticed before anything of it is believed.
@Suite struct LauncherMessageTests {
    private static let learned: UInt16 = 11
    private static let adopted: UInt16 = 15

    /// A header (`struct ws_header`) and what follows it.
    private static func message(version: UInt16 = 3, type: UInt16, extra: UInt32 = 0, _ body: [UInt8]) -> [UInt8] {
        bytes(UInt32(0x314C_5357)) + bytes(version) + bytes(type) + bytes(UInt64(0)) + bytes(UInt32(24 + body.count) + extra)
            + bytes(UInt32(0)) + body
    }

    private static func learnedBody(count: UInt32, _ names: [String]) -> [UInt8] {
        let strings: [UInt8] = names.flatMap { Array($0.utf8) + [UInt8(0)] }
        return bytes(UInt64(7)) + bytes(count) + bytes(UInt32(strings.count)) + strings
    }

    private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    private static func read(_ bytes: [UInt8]) -> LauncherMessage? { bytes.withUnsafeBytes { LauncherMessage($0) } }

    @Test func `the system calls of a container are read`() throws {
        let names = ["read", "write", "exit_group"]
        guard case .event(let event)? = Self.read(Self.message(type: Self.learned, Self.learnedBody(count: 3, names))) else {
            Issue.record("not an event")
            return
        }
        #expect(event == .containerLearned(7, systemCalls: names))
        #expect(Self.read(Self.message(type: Self.learned, Self.learnedBody(count: 0, []))) != nil)
    }

    @Test func `a message that contradicts itself is no message`() {
        let body = Self.learnedBody(count: 2, ["read", "write"])
        #expect(Self.read(Self.message(type: Self.learned, body)) != nil)
        #expect(Self.read(Self.message(type: Self.learned, Self.learnedBody(count: 3, ["read", "write"]))) == nil)
        #expect(Self.read(Self.message(type: Self.learned, Array(body.prefix(8)))) == nil)
        #expect(Self.read(Self.message(type: Self.learned, extra: 1, body)) == nil)
        #expect(Self.read(Self.message(version: 2, type: Self.learned, body)) == nil)
        #expect(Self.read(Self.message(type: 99, body)) == nil)
        #expect(Self.read([]) == nil)
    }

    @Test func `a parked container is read with its label`() throws {
        let body =
            Self.bytes(UInt64(3)) + Self.bytes(UInt64(4)) + Self.bytes(UInt32(5)) + Self.bytes(UInt32(0b11)) + Self.bytes(UInt32(7))
        let runtime = Array("python".utf8) + [UInt8](repeating: 0, count: 26)
        guard
            case .adopted(_, let kept)? = Self.read(
                Self.message(type: Self.adopted, body + Self.bytes(UInt32(3)) + runtime + [1, 0, 2]))
        else {
            Issue.record("not a parked container")
            return
        }
        #expect(
            kept == LauncherMessage.Kept(instance: 3, container: 4, runtime: "python", state: 7, bits: 0b11, label: [1, 0, 2]))
        #expect(Self.read(Self.message(type: Self.adopted, body + Self.bytes(UInt32(4)) + runtime + [1, 0, 2])) == nil)
        #expect(Self.read(Self.message(type: Self.adopted, body + Self.bytes(UInt32(2)) + runtime + [1, 0, 2])) == nil)
        #expect(Self.read(Self.message(type: Self.adopted, body)) == nil)
    }

    @Test func `descriptors are as many as were announced, or nobody's`() {
        #expect(ReplyDescriptors(bits: 0, []) != nil)
        #expect(ReplyDescriptors(bits: 0b101, []) == nil)
    }
}
