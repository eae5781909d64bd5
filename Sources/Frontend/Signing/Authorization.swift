/// The three parts of an `Authorization` header of AWS Signature Version 4, as slices of it.
struct Authorization {
    /// `KEY/DATE/REGION/SERVICE/aws4_request`
    let credential: Substring
    /// Lower-case names between semicolons.
    let signedHeaders: Substring
    /// 64 hexadecimal digits.
    let signature: Substring

    private static let algorithm = "AWS4-HMAC-SHA256 "

    /// - Throws: `IncompleteSignatureException` that names what is missing.
    init(_ header: String) throws(LambdaError) {
        guard header.hasPrefix(Self.algorithm) else {
            throw LambdaError(.incompleteSignature, "Unsupported AWS 'algorithm'.")
        }
        var credential: Substring?
        var signedHeaders: Substring?
        var signature: Substring?
        var rest = header.utf8.dropFirst(Self.algorithm.utf8.count)
        while !rest.isEmpty {
            let pair = Substring(rest.prefix { $0 != UInt8(ascii: ",") }.drop { $0 == UInt8(ascii: " ") })
            rest = rest[pair.endIndex...].dropFirst()
            guard let equals = pair.utf8.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let value = pair[pair.utf8.index(after: equals)...]
            switch pair[..<equals] {
            case "Credential": credential = value
            case "SignedHeaders": signedHeaders = value
            case "Signature": signature = value
            default: continue
            }
        }
        guard let credential, let signedHeaders, let signature else {
            let missing = [("Credential", credential), ("Signature", signature), ("SignedHeaders", signedHeaders)]
                .filter { $0.1 == nil }
            throw LambdaError(
                .incompleteSignature, missing.map { "Authorization header requires '\($0.0)' parameter." }.joined(separator: " "))
        }
        self.credential = credential
        self.signedHeaders = signedHeaders
        self.signature = signature
    }

    /// Whether a header is among the signed ones. `name` is in lower case.
    func signs(_ name: String) -> Bool {
        var rest = signedHeaders.utf8
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: ";")) ?? rest.endIndex
            if rest[..<end].elementsEqual(name.utf8) { return true }
            rest = rest[end...].dropFirst()
        }
        return false
    }
}

/// What a credential says besides the key: the day, the region and the service it is good for.
struct CredentialScope: Hashable {
    let accessKeyID, date, region: String

    /// - Throws: `IncompleteSignatureException` or `InvalidSignatureException` that names what is wrong.
    init(_ credential: Substring, service: String) throws(LambdaError) {
        let parts = credential.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5 else {
            throw LambdaError(
                .incompleteSignature,
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '\(credential)'")
        }
        guard isRegion(parts[2]) else { throw .regionInvalid }
        guard parts[3] == service else {
            throw LambdaError(.invalidSignature, "Credential should be scoped to correct service: '\(service)'.")
        }
        guard parts[4] == "aws4_request" else {
            throw LambdaError(
                .invalidSignature, "Credential should be scoped with a valid terminator: 'aws4_request', not '\(parts[4])'.")
        }
        (accessKeyID, date, region) = (String(parts[0]), String(parts[1]), String(parts[2]))
    }
}
