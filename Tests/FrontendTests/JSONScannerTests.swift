@testable import Frontend
import NIOCore
import Testing

@Suite struct JSONScannerTests {
    private static func fault(_ bytes: [UInt8], depthMax: Int = JSONScanner.depthMax) -> JSONFault? {
        bytes.withUnsafeBytes { buffer in
            do throws(JSONFault) {
                try JSONScanner.validate(buffer, depthMax: depthMax)
                return nil
            } catch {
                return error
            }
        }
    }

    @Test(arguments: [
        "{}", "[]", "0", "-0", "1", "-1.5e+10", "1E5", "0.0", "10.25e-3", "true", "false", "null", "\"\"", " \t\r\n1 \n", "[1, 2,3]",
        #"{"a":1,"a":2}"#, #"{"a":{"b":[{},[],null]}, "c" : "d"}"#, #""\"\\\/\b\f\n\r\tA\ud83d\ude00""#, #""\ud800""#,
        "\"\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}\"", #"["é","日本","😀"]"#, "[[[[]]]]", "1e400", "\"\u{2028}\"",
    ])
    func `a JSON text is accepted`(text: String) {
        #expect(Self.fault(Array(text.utf8)) == nil)
    }

    @Test(arguments: [
        "", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,]", "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":1"#, "{a:1}",
        "{1:1}", #"{"a" 1}"#, "[1 2]", "[1]]", "1 2", "{}{}", "01", "-", "+1", ".5", "1.", "1.e3", "1e", "1e+", "0x1", "-01", "NaN",
        "Infinity", "-Infinity", "tru", "truE", "True", "nul", "nullx", "'a'", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"",
        "\"\n\"", "\"\t\"", "\"\u{0}\"", "/* */1", "[1]//", "\u{FEFF}{}", "{\"a\":1]", "[1}", "\u{A0}1",
    ])
    func `what is no JSON text is refused`(text: String) {
        #expect(Self.fault(Array(text.utf8)) != nil)
    }

    @Test(arguments: [
        [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF], [0xE2, 0x82],
        [0xE2, 0x28, 0xA1], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF], [0xF0, 0x9F, 0x98],
        [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xFE], [0xF8, 0x88, 0x80, 0x80, 0x80],
    ] as [[UInt8]])
    func `bytes in a string that are no UTF-8 are refused`(bytes: [UInt8]) {
        #expect(Self.fault([0x22] + bytes + [0x22]) != nil)
    }

    @Test func `nesting is limited`() {
        let deep = { (count: Int) in [UInt8](repeating: 0x5B, count: count) + [UInt8](repeating: 0x5D, count: count) }
        #expect(Self.fault(deep(1000)) == nil)
        #expect(Self.fault(deep(1001))?.message == "Document nesting depth (1001) exceeds the maximum allowed (1000)")
        #expect(Self.fault(deep(3), depthMax: 2) != nil)
        #expect(Self.fault([UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)) != nil)
    }

    @Test(arguments: [
        ("{\n  \"a\": x}", "Unexpected character ('x' (code 120)): expected a valid value (JSON String, Number, Array, Object or "
            + "token 'null', 'true' or 'false') at line: 2, column: 8"),
        ("", "Unexpected end-of-input where a value should be at line: 1, column: 1"),
        ("\u{1}", "Unexpected character ((CTRL-CHAR, code 1)): expected a valid value (JSON String, Number, Array, Object or "
            + "token 'null', 'true' or 'false') at line: 1, column: 1"),
    ])
    func `a fault says what and where`(text: String, description: String) {
        #expect(Self.fault(Array(text.utf8))?.description == description)
    }

    /// Foundation accepts a comma behind the last element, which RFC 8259 does not.
    private static func endsInComma(_ text: [UInt8]) -> Bool {
        let dense = String(decoding: text.filter { $0 != UInt8(ascii: " ") }, as: UTF8.self)
        // No text of four characters has both a string and such a comma.
        return !dense.contains("\"") && (dense.contains(",]") || dense.contains(",}"))
    }

    /// Every text of four characters or fewer over an alphabet, against Foundation's parser, which is another's work.
    @Test func `short texts are judged as another parser judges them`() {
        let alphabet = Array("{}[]\"a1:,-.e ".utf8)
        var judged = 0
        for length in 1...4 {
            var digits = [Int](repeating: 0, count: length)
            repeat {
                let text = digits.map { alphabet[$0] }
                let isJSON = (try? JSONValueOfFoundation.parse(text)) != nil && !Self.endsInComma(text)
                #expect((Self.fault(text) == nil) == isJSON, "\(String(decoding: text, as: UTF8.self))")
                judged += 1
                var place = 0
                while place < length {
                    digits[place] = (digits[place] + 1) % alphabet.count
                    if digits[place] != 0 { break }
                    place += 1
                }
                if place == length { break }
            } while true
        }
        #expect(judged == 13 + 13 * 13 + 13 * 13 * 13 + 13 * 13 * 13 * 13)
    }
}
