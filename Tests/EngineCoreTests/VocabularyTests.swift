import EngineCore
import NIOCore
import Testing

@Suite struct VocabularyTests {
    @Test(arguments: ["12345678901", "1234567890123", "12345678901a", "", "１２３４５６７８９０１２"])
    func `an account id is exactly twelve ASCII digits`(text: String) {
        #expect(AccountID(text) == nil)
        #expect(AccountID("123456789012")?.description == "123456789012")
    }

    @Test(arguments: ["0", "-1", "+1", "01", "1.0", "latest", "$latest", ""])
    func `a version is $LATEST or a plain positive number`(text: String) {
        #expect(FunctionVersion(text) == nil)
        #expect(FunctionVersion("$LATEST") == .latest)
        #expect(FunctionVersion("42") == .published(42))
    }

    @Test func `a digest survives the way to bytes and back`() throws {
        let bytes = (0..<32).map { UInt8($0 * 7 & 0xFF) }
        let digest = try #require(ContentDigest(bytes: bytes))
        #expect(digest.bytes == bytes)
        #expect(ContentDigest(hex: digest.hex) == digest)
        #expect(ContentDigest(hex: digest.hex.uppercased()) == nil)
        #expect(ContentDigest(bytes: bytes.dropLast()) == nil)
    }

    @Test func `request ids are version 4 UUIDs, parse back and do not repeat`() {
        var seen: Set<RequestID> = []
        for _ in 0..<10_000 {
            let id = RequestID()
            #expect(RequestID(id.description) == id)
            #expect(Array(id.description)[14] == "4")
            #expect("89ab".contains(Array(id.description)[19]))
            seen.insert(id)
        }
        #expect(seen.count == 10_000)
    }

    @Test(arguments: ["", "0", "00000000-0000-4000-8000-00000000000G", "00000000-0000-4000-8000-00000000000A"])
    func `a text that is no lower-case UUID is no request id`(text: String) {
        #expect(RequestID(text) == nil)
    }

    @Test func `durations saturate instead of trapping`() {
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
        #expect(Duration.milliseconds(1500).inSeconds == 1.5)
        let start = EngineInstant(nanoseconds: 5)
        #expect((start + .microseconds(2)) - start == .microseconds(2))
    }

    @Test(arguments: [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (128 << 20, "128 MiB"), (5 << 30, "5 GiB")])
    func `byte counts print in binary units`(bytes: Int, text: String) {
        #expect(ByteCount(bytes).description == text)
    }

    @Test func `the tail of a log is its last bytes and never more than there are`() {
        let log = InvocationLog(text: ByteBuffer(string: "0123456789"))
        #expect(String(buffer: log.tail(limit: 4)) == "6789")
        #expect(String(buffer: log.tail(limit: 40)) == "0123456789")
    }

    @Test func `start levels are ordered from warm to boot`() {
        #expect(StartLevel.allCases.sorted() == [.warm, .container, .instance, .zygote, .boot])
    }

    @Test func `ARNs carry the qualifier only when there is one`() throws {
        let account = try #require(AccountID("123456789012"))
        let key = FunctionKey(account: account, region: "eu-west-1", name: "f")
        #expect(key.arn == "arn:aws:lambda:eu-west-1:123456789012:function:f")
        #expect(key.arn(qualifier: "7") == key.arn + ":7")
    }
}
