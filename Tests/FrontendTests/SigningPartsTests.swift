import Crypto
@testable import Frontend
import Testing

@Suite struct SigningPartsTests {
    @Test(arguments: [
        ("19700101T000000Z", 0), ("20000229T235959Z", 951_868_799), ("20260102T030405Z", 1_767_323_045),
        ("20240229T000000Z", 1_709_164_800),
    ] as [(String, Int64)])
    func `a time is read and written`(text: String, seconds: Int64) {
        #expect(SigningTime(text)?.epochSeconds == seconds)
        #expect(SigningTime(epochSeconds: seconds).description == text)
        #expect(SigningTime(httpDate: HTTPDate.format(seconds))?.epochSeconds == seconds)
    }

    @Test(arguments: [
        "", "20260102T030405", "20260102 030405Z", "20260231T000000Z", "20250229T000000Z", "21000229T000000Z", "20260431T000000Z",
        "20261301T000000Z", "20260100T000000Z", "20260101T240000Z", "20260101T006000Z", "20260101T000061Z", "2026010aT000000Z",
    ])
    func `a time that does not exist is none`(text: String) {
        #expect(SigningTime(text) == nil)
    }

    @Test func `the Date header is an IMF-fixdate`() {
        #expect(HTTPDate.format(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        let date = HTTPDate()
        #expect(date.text(at: 0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(date.text(at: 1) == "Thu, 01 Jan 1970 00:00:01 GMT")
    }

    @Test func `the cache of keys is bounded and keeps what is in use`() throws {
        let cache = DerivedKeyCache(capacity: 8)
        let scope = try CredentialScope("A/20260102/eu-central-1/lambda/aws4_request", service: "lambda")
        let entry = DerivedKeyCache.Entry(scope: scope, secret: "s", key: HMAC(key: SymmetricKey(size: .bits256)))
        cache.insert(entry, for: "used")
        for number in 0..<100 {
            cache.insert(entry, for: "\(number)")
            #expect(cache.entry("used") != nil, "after \(number)")
            #expect(cache.count <= 8)
        }
        #expect(cache.entry("0") == nil)
    }

    @Test(arguments: [
        ("host;x-amz-date", "host", true), ("host;x-amz-date", "x-amz-date", true), ("host;x-amz-date", "x-amz", false),
        ("host", "ost", false), ("", "host", false),
    ])
    func `a header is signed if its whole name is in the list`(list: String, name: String, isSigned: Bool) throws {
        let authorization = try Authorization("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=\(list), Signature=b")
        #expect(authorization.signs(name) == isSigned)
    }
}
