@testable import Frontend
import NIOCore
import Testing

@Suite struct JSONValueTests {
    private func object(_ text: String) throws -> RequestObject { try RequestObject(ByteBuffer(string: text)) }

    @Test func `members are read by name and type, and null is absent`() throws {
        let request = try object(
            #" { "s" : "a\u00e9\ud83d\ude00\n\/" , "i":3.0, "n": null, "b":true, "l":["x","y"], "m":{"k":"v"}, "o":{"i":-7} } "#)
        #expect(try request.string("s") == "aé😀\n/")
        #expect(try request.integer("i") == 3)
        #expect(try request.string("n") == nil)
        #expect(try request.string("absent") == nil)
        #expect(try request.boolean("b") == true)
        #expect(try request.strings("l") == ["x", "y"])
        #expect(try request.map("m") == ["k": "v"])
        #expect(try request.object("o")?.integer("i") == -7)
    }

    @Test func `of equal names the last one counts, and an empty body is an empty object`() throws {
        #expect(try object(#"{"a":1,"a":2}"#).integer("a") == 2)
        #expect(try object("").string("a") == nil)
    }

    @Test func `a member of another type is named`() throws {
        let error = #expect(throws: LambdaError.self) { try object(#"{"Timeout":"x"}"#).integer("Timeout") }
        #expect(error?.code == .serialization)
        #expect(error?.message == "STRING_VALUE of 'Timeout' can not be converted to an Integer")
        #expect(throws: LambdaError.self) { try object(#"{"a":1.5}"#).integer("a") }
        #expect(throws: LambdaError.self) { try object(#"{"a":[1]}"#).strings("a") }
        #expect(throws: LambdaError.self) { try object("[]") }
        #expect(throws: LambdaError.self) { try object("{") }
    }

    @Test(arguments: [
        ("", []), ("AA==", [0]), ("AAE=", [0, 1]), ("AAEC", [0, 1, 2]), ("/+8=", [0xFF, 0xEF]), (#"\/+8="#, [0xFF, 0xEF]),
    ] as [(String, [UInt8])])
    func `base64 is decoded and encoded`(text: String, bytes: [UInt8]) throws {
        #expect(try object("{\"b\":\"\(text)\"}").bytes("b") == bytes)
        #expect(Base64.encode(bytes) == text.replacing("\\", with: ""))
    }

    @Test(arguments: ["A", "AA", "AAA", "A===", "AA=A", "=AAA", "A*AA", "AAAA=", "AA==AAAA", "AA\\nAA"])
    func `what is no base64 is refused`(text: String) {
        #expect(throws: LambdaError.self) { try object("{\"b\":\"\(text)\"}").bytes("b") }
    }

    @Test func `a value is written again with its texts and numbers as they were`() throws {
        let text = #" {"b" : [1.50, 12345678901234567890, "\u00e9\/", null], "a\n": {"t":true, "f":false, "e":[], "o":{}}} "#
        #expect(String(buffer: try JSONValue(parsing: ByteBuffer(string: text)).json)
            == #"{"a\n":{"e":[],"f":false,"o":{},"t":true},"b":[1.50,12345678901234567890,"\u00e9\/",null]}"#)
    }

    @Test func `answers are written in order, escaped, without what is absent`() {
        let bytes = JSONWriter.object { json in
            json.member("a", "q\"\\\n\u{1}é")
            json.member("absent", nil as String?)
            json.member("o") { $0.member("n", 1) }
            json.member("l", ["x", "y"])
            json.member("e", each: [1, 2]) { number, json in json.member("n", number) }
            json.member("m", map: ["b": "2", "a": "1"])
            json.member("z", 0)
        }
        #expect(String(decoding: bytes, as: UTF8.self)
            == #"{"a":"q\"\\\n\u0001é","o":{"n":1},"l":["x","y"],"e":[{"n":1},{"n":2}],"m":{"a":"1","b":"2"},"z":0}"#)
    }
}
