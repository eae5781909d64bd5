@testable import Frontend
import NIOCore
import Testing

@Suite struct JSONPathTests {
    private func text(_ path: String, _ json: String, bytesMax: Int = 256) -> String? {
        JSONPath(path).text(in: ByteBuffer(string: json), bytesMax: bytesMax)
    }

    @Test(arguments: [
        ("id", #"{"id":"a"}"#, "a"), ("user.id", #"{"x":{"id":1},"user":{"id":"b","z":[{}]}}"#, "b"),
        ("items.1.kind", #"{"items":[{"kind":"no"},{"kind":"yes"},{"kind":"no"}]}"#, "yes"), ("0", "[5,6]", "5"),
        ("0", #"{"0":"name"}"#, "name"), ("n", #" { "n" : -1.50e3 , "m" : 2 } "#, "-1.50e3"), ("t", #"{"t":true}"#, "true"),
        ("a", #"{"a":"x\"y\\z\u00e4\ud83d\ude00"}"#, "x\"y\\zä😀"), ("ä", #"{"\u00e4":"esc"}"#, "esc"),
        ("a", #"{"a":"first","b":0,"a":"last"}"#, "last"), ("a.b", #"{"a":{"b":1},"a":{"b":2}}"#, "2"),
        ("a", #"{"s":"{\"a\":1}","t":"]}","a":"ok"}"#, "ok"), ("a", #"{"b":{"a":{"a":[{"a":"deep"}]}},"a":"top"}"#, "top"),
    ])
    func `STICK-02 a path finds the text of a member, a number or an element`(path: String, json: String, value: String) {
        #expect(text(path, json) == value)
    }

    @Test(arguments: [
        ("a", "{}"), ("a", "[]"), ("a", #""a""#), ("a", "1"), ("a", #"{"b":"a"}"#), ("a", #"{"a":null}"#), ("a", #"{"a":{}}"#),
        ("a", #"{"a":[1]}"#), ("a", #"{"a":""}"#), ("a.b", #"{"a":"b"}"#), ("1", "[5]"), ("01", "[5,6]"), ("-1", "[5]"),
        ("a.b", #"{"a":{"b":1},"a":0}"#), ("a", #"{"A":1}"#),
    ])
    func `STICK-05 where no text is there is no value`(path: String, json: String) {
        #expect(text(path, json) == nil)
    }

    @Test func `a value over its limit is none, one at it is, escaped or not`() {
        let long = String(repeating: "x", count: 256)
        #expect(text("a", "{\"a\":\"\(long)\"}") == long)
        #expect(text("a", "{\"a\":\"\(long)x\"}") == nil)
        #expect(text("a", "{\"a\":\"\(String(repeating: #"\u0078"#, count: 256))\"}") == long)
        #expect(text("a", "{\"a\":\"\(String(repeating: #"\u0078"#, count: 257))\"}") == nil)
        #expect(text("a", "{\"a\":1\(String(repeating: "0", count: 256))}") == nil)
    }

    @Test func `the scan is one pass, whatever the nesting of the event and the length of the path`() {
        let depth = 900
        let nested = String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
        #expect(text(Array(repeating: "a", count: 8).joined(separator: "."), nested) == nil)
        let wide = "{" + (0..<100_000).map { "\"k\($0)\":{\"id\":\($0)}" }.joined(separator: ",") + "}"
        #expect(text("k99999.id", wide) == "99999")
    }

    @Test(arguments: [
        #"{"a""#, #"{"a":"#, #"{"a":""#, #"{"a":"\"#, "[", "[1", "{", "", "}", "]]", #"{"a":}"#, #"{"a" 1}"#, "{1:2}", "[,]", "[}]",
    ])
    func `what is not JSON is walked over without leaving it`(json: String) {
        for path in ["a", "0", "a.b", "0.a"] { _ = text(path, json) }
    }
}
