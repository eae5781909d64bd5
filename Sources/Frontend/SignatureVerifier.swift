public import Crypto
public import EngineCore
public import HTTPTypes
import Synchronization

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

/// Verifies AWS Signature Version 4 in the `Authorization` header.
///
/// Source: AWS Signature Version 4, "Create a signed request". The wire path is encoded once more; the payload hash is the
/// body's own. Derived keys are kept per access key, date and region, only after a valid signature.
public final class SignatureVerifier: Sendable {
    private struct Scope: Hashable {
        let accessKeyID, date, region: String
    }
    private struct Derived {
        let secret: String
        let key: SymmetricKey
    }
    /// A century: enough to switch the check off for clients with a frozen clock.
    public static let skewSecondsMax: Int64 = 3_155_760_000

    private let service: String
    private let skew: Int64
    private let capacity: Int
    private let lookup: @Sendable (String) -> AccessKey?
    private let cache = Mutex<[Scope: Derived]>([:])

    /// - Parameters:
    ///   - skewSeconds: how far the client's clock may be off, 0 to ``skewSecondsMax``.
    ///   - cacheCapacity: derived keys kept; when full, all are dropped.
    public init(
        service: String = "lambda", skewSeconds: Int64 = 300, cacheCapacity: Int = 1024,
        lookup: @escaping @Sendable (String) -> AccessKey?
    ) {
        self.service = service
        skew = min(max(skewSeconds, 0), Self.skewSecondsMax)
        capacity = cacheCapacity
        self.lookup = lookup
    }

    /// - Parameter now: seconds since 1970.
    public func verify(
        _ request: HTTPRequest, bodyDigest: SHA256Digest, now: Int64
    ) throws(LambdaError) -> AuthenticatedCaller {
        guard let header = request.headerFields[.authorization] else {
            throw LambdaError(.missingAuthenticationToken, "Missing Authentication Token")
        }
        let authorization = try Authorization(header, service: service)
        guard let stamp = request.headerFields[.amzDate], let time = SigningTime(stamp) else {
            throw LambdaError(
                .incompleteSignature, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        }
        guard let access = lookup(authorization.accessKeyID), request.headerFields[.securityToken] == nil else {
            throw LambdaError(.unrecognizedClient, "The security token included in the request is invalid.")
        }
        guard stamp.prefix(8) == authorization.date else {
            throw LambdaError(
                .invalidSignature, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP")
        }
        try check(time, now: now)
        // An unsigned one could have been added or changed on the way, and these change what a call means.
        for field in request.headerFields where field.name.canonicalName.hasPrefix("x-amz-") {
            guard authorization.signedHeaders.contains(field.name.canonicalName[...]) else { throw .unsigned(field.name) }
        }
        guard let canonical = CanonicalRequest.bytes(request, authorization.signedHeaders, bodyDigest) else { throw .mismatch }
        let scope = Scope(accessKeyID: authorization.accessKeyID, date: authorization.date, region: authorization.region)
        let cached = cache.withLock { $0[scope] }
        let hit = cached?.secret == access.secret
        let key = hit ? cached?.key ?? derive(access.secret, scope) : derive(access.secret, scope)
        let text = "AWS4-HMAC-SHA256\n\(stamp)\n\(scope.date)/\(scope.region)/\(service)/aws4_request\n"
            + hexadecimal(SHA256.hash(data: canonical))
        let expected = hexadecimal(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
        guard isEqualInConstantTime(expected, authorization.signature) else { throw .mismatch }
        if !hit {
            cache.withLock {
                if $0.count >= capacity { $0.removeAll(keepingCapacity: true) }
                $0[scope] = Derived(secret: access.secret, key: key)
            }
        }
        return AuthenticatedCaller(account: access.account, region: scope.region, accessKeyID: scope.accessKeyID)
    }

    private func check(_ time: SigningTime, now: Int64) throws(LambdaError) {
        let minutes = skew / 60
        let current = SigningTime(epochSeconds: now)
        if time.epochSeconds < now - skew {
            let bound = SigningTime(epochSeconds: now - skew)
            throw LambdaError(
                .invalidSignature, "Signature expired: \(time) is now earlier than \(bound) (\(current) - \(minutes) min.)")
        }
        if time.epochSeconds > now + skew {
            let bound = SigningTime(epochSeconds: now + skew)
            throw LambdaError(
                .invalidSignature,
                "Signature not yet current: \(time) is still later than \(bound) (\(current) + \(minutes) min.)")
        }
    }

    private func derive(_ secret: String, _ scope: Scope) -> SymmetricKey {
        var key = SymmetricKey(data: Array("AWS4\(secret)".utf8))
        for part in [scope.date, scope.region, service, "aws4_request"] {
            key = SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key))
        }
        return key
    }
}

extension LambdaError {
    static func unsigned(_ name: HTTPField.Name) -> LambdaError {
        LambdaError(.invalidSignature, "'\(name.canonicalName)' must be a 'SignedHeader' in the AWS Authorization.")
    }

    static let mismatch = LambdaError(
        .invalidSignature,
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
            + "and signing method. Consult the service documentation for details.")
}

/// Compares without a branch on the content.
private func isEqualInConstantTime(_ left: String, _ right: String) -> Bool {
    guard left.utf8.count == right.utf8.count else { return false }
    return zip(left.utf8, right.utf8).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
}
