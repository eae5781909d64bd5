import Crypto
import HTTPTypes

/// What the head of a request claims about its signature, checked in all but the signature.
struct SignatureClaim: Sendable {
    let authorization: Authorization
    /// `KEY/DATE/REGION/SERVICE/aws4_request`
    let credential: String
    let scope: CredentialScope
    /// `YYYYMMDD'T'HHMMSS'Z'`, the second line of the string to sign.
    let stamp: String
    let access: AccessKey
    /// A code begun with the signing key, if that has verified a signature before.
    let key: HMAC<SHA256>?
}

/// The headers a signature is about, found in one pass.
struct SignedHead {
    /// When a request was signed, and which header said so.
    struct Stamp {
        let text: String
        let time: SigningTime
        /// In lower case.
        let header: String
        /// As errors spell it.
        let spelling: String
    }

    var authorization: String?
    var amzDate: String?
    var date: String?
    var securityToken: String?

    init(_ fields: HTTPFields) {
        for field in fields {
            switch field.name.canonicalName {
            case "authorization": authorization = field.value
            case "x-amz-date": amzDate = field.value
            case "date": date = field.value
            case "x-amz-security-token": securityToken = field.value
            default: continue
            }
        }
    }

    /// - Throws: `IncompleteSignatureException` when neither `X-Amz-Date` nor `Date` holds a time.
    func stamp() throws(LambdaError) -> Stamp {
        if let amzDate {
            if let time = SigningTime(amzDate) {
                return Stamp(text: amzDate, time: time, header: "x-amz-date", spelling: "X-Amz-Date")
            }
        } else if let date, let time = SigningTime(httpDate: date) ?? SigningTime(date) {
            return Stamp(text: time.description, time: time, header: "date", spelling: "Date")
        }
        throw LambdaError(
            .incompleteSignature, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    }
}
