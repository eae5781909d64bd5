public import Crypto
public import EngineCore
public import HTTPTypes

/// What a valid signature proves.
public struct AuthenticatedCaller: Hashable, Sendable {
    public let account: AccountID
    /// From the credential scope.
    public let region: String
    public let accessKeyID: String
}

/// A secret access key and the account it speaks for.
public struct AccessKey: Hashable, Sendable {
    public let secret: String
    public let account: AccountID
    public init(secret: String, account: AccountID) {
        self.secret = secret
        self.account = account
    }
}

/// Verifies AWS Signature Version 4 in the `Authorization` header, in two steps: what the head alone can tell, so that the body
/// of a stranger is not even read, and then the signature, which covers the body.
///
/// Source: AWS Signature Version 4, "Create a signed request". The payload hash is the body's own. Derived keys are kept, only
/// after a valid signature.
public final class SignatureVerifier: Sendable {
    /// A century: enough to switch the check off for clients with a frozen clock.
    public static let skewSecondsMax: Int64 = 3_155_760_000

    private let service: String
    private let skew: Int64
    private let regions: Set<String>
    private let lookup: @Sendable (String) throws(LambdaError) -> AccessKey?
    private let cache: DerivedKeyCache

    /// - Parameters:
    ///   - skewSeconds: how far the client's clock may be off, 0 to ``skewSecondsMax``.
    ///   - cacheCapacity: derived keys kept.
    ///   - regions: the regions a credential may be scoped to; empty permits all.
    ///   - lookup: the key of an identifier; `nil` when there is none.
    public init(
        service: String = "lambda", skewSeconds: Int64 = 300, cacheCapacity: Int = 1024, regions: Set<String> = [],
        lookup: @escaping @Sendable (String) throws(LambdaError) -> AccessKey?
    ) {
        self.service = service
        skew = min(max(skewSeconds, 0), Self.skewSecondsMax)
        self.regions = regions
        self.lookup = lookup
        cache = DerivedKeyCache(capacity: cacheCapacity)
    }

    /// Both steps. - Parameter now: seconds since 1970.
    public func verify(
        _ request: HTTPRequest, bodyDigest: SHA256Digest, now: Int64
    ) throws(LambdaError) -> AuthenticatedCaller {
        try verify(try claim(of: request, now: now), of: request, bodyDigest: bodyDigest)
    }

    /// What the head claims, checked in all but the signature.
    /// - Parameter now: seconds since 1970.
    func claim(of request: HTTPRequest, now: Int64) throws(LambdaError) -> SignatureClaim {
        let head = SignedHead(request.headerFields)
        guard let header = head.authorization else {
            throw LambdaError(.missingAuthenticationToken, "Missing Authentication Token")
        }
        let authorization = try Authorization(header)
        let credential = String(authorization.credential)
        let cached = cache.entry(credential)
        let scope = if let cached { cached.scope } else { try CredentialScope(authorization.credential, service: service) }
        let stamp = try head.stamp()
        guard authorization.signs("host"), authorization.signs(stamp.header) else {
            throw LambdaError(
                .invalidSignature, "'Host' and '\(stamp.spelling)' must be a 'SignedHeader' in the AWS Authorization.")
        }
        guard head.securityToken == nil else { throw .sessionTokenUnsupported }
        guard let access = try lookup(scope.accessKeyID) else {
            throw LambdaError(.unrecognizedClient, "The security token included in the request is invalid.")
        }
        guard regions.isEmpty || regions.contains(scope.region) else { throw .regionInvalid }
        guard stamp.text.utf8.prefix(8).elementsEqual(scope.date.utf8) else {
            throw LambdaError(
                .invalidSignature, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
        }
        try check(stamp.time, now: now)
        // An unsigned one could have been added or changed on the way, and these change what a call means.
        for field in request.headerFields where field.name.canonicalName.utf8.starts(with: "x-amz-".utf8) {
            guard authorization.signs(field.name.canonicalName) else { throw .unsigned(field.name) }
        }
        let key = cached?.secret == access.secret ? cached?.key : nil
        return SignatureClaim(
            authorization: authorization, credential: credential, scope: scope, stamp: stamp.text, access: access, key: key)
    }

    /// The signature itself.
    func verify(
        _ claim: SignatureClaim, of request: HTTPRequest, bodyDigest: SHA256Digest
    ) throws(LambdaError) -> AuthenticatedCaller {
        guard let canonical = CanonicalRequest.bytes(request, claim.authorization.signedHeaders, bodyDigest) else {
            throw .signatureMismatch
        }
        let scope = claim.scope
        let key = claim.key ?? HMAC(key: derive(claim.access.secret, scope))
        var text: [UInt8] = []
        text.reserveCapacity(160)
        text.append(contentsOf: "AWS4-HMAC-SHA256\n".utf8)
        text.append(contentsOf: claim.stamp.utf8)
        text.append(UInt8(ascii: "\n"))
        text.append(contentsOf: claim.credential.utf8.dropFirst(scope.accessKeyID.utf8.count + 1))
        text.append(UInt8(ascii: "\n"))
        appendHexadecimal(SHA256.hash(data: canonical), to: &text)
        var expected: [UInt8] = []
        expected.reserveCapacity(64)
        var code = key
        code.update(data: text)
        appendHexadecimal(code.finalize(), to: &expected)
        guard isEqualInConstantTime(expected, claim.authorization.signature.utf8) else { throw .signatureMismatch }
        if claim.key == nil {
            cache.insert(DerivedKeyCache.Entry(scope: scope, secret: claim.access.secret, key: key), for: claim.credential)
        }
        return AuthenticatedCaller(account: claim.access.account, region: scope.region, accessKeyID: scope.accessKeyID)
    }

    private func check(_ time: SigningTime, now: Int64) throws(LambdaError) {
        guard time.epochSeconds < now - skew || time.epochSeconds > now + skew else { return }
        let current = SigningTime(epochSeconds: now)
        let minutes = skew / 60
        if time.epochSeconds < now {
            let bound = SigningTime(epochSeconds: now - skew)
            throw LambdaError(
                .invalidSignature, "Signature expired: \(time) is now earlier than \(bound) (\(current) - \(minutes) min.)")
        }
        let bound = SigningTime(epochSeconds: now + skew)
        throw LambdaError(
            .invalidSignature, "Signature not yet current: \(time) is still later than \(bound) (\(current) + \(minutes) min.)")
    }

    private func derive(_ secret: String, _ scope: CredentialScope) -> SymmetricKey {
        var key = SymmetricKey(data: Array("AWS4\(secret)".utf8))
        for part in [scope.date, scope.region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        return key
    }
}

/// Compares without a branch on the content.
func isEqualInConstantTime(_ left: [UInt8], _ right: some Collection<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
}
