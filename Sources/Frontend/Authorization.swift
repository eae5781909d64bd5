/// The parsed `Authorization` header.
struct Authorization {
    let accessKeyID, date, region, signature: String
    let signedHeaders: [Substring]

    init(_ header: String, service: String) throws(LambdaError) {
        guard header.hasPrefix("AWS4-HMAC-SHA256 ") else {
            throw LambdaError(.incompleteSignature, "Unsupported AWS 'algorithm'.")
        }
        var fields: [Substring: Substring] = [:]
        for pair in header.dropFirst(17).split(separator: ",") {
            let pair = pair.drop { $0 == " " }
            guard let equals = pair.firstIndex(of: "=") else { continue }
            fields[pair[..<equals]] = pair[pair.index(after: equals)...]
        }
        guard let credential = fields["Credential"], let names = fields["SignedHeaders"], let signature = fields["Signature"]
        else {
            let missing = ["Credential", "Signature", "SignedHeaders"].filter { fields[$0[...]] == nil }
            throw LambdaError(
                .incompleteSignature,
                missing.map { "Authorization header requires '\($0)' parameter." }.joined(separator: " "))
        }
        let scope = credential.split(separator: "/", omittingEmptySubsequences: false)
        guard scope.count == 5 else {
            throw LambdaError(
                .incompleteSignature,
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '\(credential)'")
        }
        guard isRegion(scope[2]) else {
            throw LambdaError(.invalidSignature, "Credential should be scoped to a valid region.")
        }
        guard scope[3] == service else {
            throw LambdaError(.invalidSignature, "Credential should be scoped to correct service: '\(service)'.")
        }
        guard scope[4] == "aws4_request" else {
            throw LambdaError(
                .invalidSignature, "Credential should be scoped with a valid terminator: 'aws4_request', not '\(scope[4])'.")
        }
        (accessKeyID, date, region) = (String(scope[0]), String(scope[1]), String(scope[2]))
        signedHeaders = names.split(separator: ";")
        self.signature = String(signature)
        guard signedHeaders.contains("host"), signedHeaders.contains("x-amz-date") else {
            throw LambdaError(.invalidSignature, "'Host' and 'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.")
        }
    }
}
