public import Crypto
import EngineCore
public import HTTPTypes

/// Signs requests as AWS clients do (Signature Version 4): the other end of ``SignatureVerifier``, for the command line.
public struct RequestSigner: Sendable {
    private let accessKeyID: String
    private let secret: String
    private let region: String

    public init(accessKeyID: String, secret: String, region: String) {
        self.accessKeyID = accessKeyID
        self.secret = secret
        self.region = region
    }

    /// Adds `X-Amz-Date` and `Authorization`. Signed are the host, the date and every `x-amz-` header that is there.
    ///
    /// - Parameter now: seconds since 1970.
    public func sign(_ request: inout HTTPRequest, bodyDigest: SHA256Digest, now: Int64) {
        let stamp = SigningTime(epochSeconds: now).description
        request.headerFields[.amzDate] = stamp
        var names: Set = ["host"]
        for field in request.headerFields where field.name.canonicalName.hasPrefix("x-amz-") { names.insert(field.name.canonicalName) }
        let signed = names.sorted().joined(separator: ";")
        guard let canonical = CanonicalRequest.bytes(request, signed[...], bodyDigest) else {
            preconditionFailure("A header is signed only if it is there.")
        }
        let date = stamp.prefix(8)
        let scope = "\(date)/\(region)/lambda/aws4_request"
        var key = SymmetricKey(data: Array("AWS4\(secret)".utf8))
        for part in scope.split(separator: "/") {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        var text = Array("AWS4-HMAC-SHA256\n\(stamp)\n\(scope)\n".utf8)
        appendHexadecimal(SHA256.hash(data: canonical), to: &text)
        var signature: [UInt8] = []
        appendHexadecimal(HMAC<SHA256>.authenticationCode(for: text, using: key), to: &signature)
        request.headerFields[.authorization] =
            "AWS4-HMAC-SHA256 Credential=\(accessKeyID)/\(scope), SignedHeaders=\(signed), "
            + "Signature=\(String(decoding: signature, as: UTF8.self))"
    }
}
