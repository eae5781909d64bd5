import HTTPTypes

/// The texts of refused signatures.
extension LambdaError {
    static func unsigned(_ name: HTTPField.Name) -> LambdaError {
        LambdaError(.invalidSignature, "'\(name.canonicalName)' must be a 'SignedHeader' in the AWS Authorization.")
    }

    static let signatureMismatch = LambdaError(
        .invalidSignature,
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
            + "and signing method. Consult the service documentation for details.")

    static let regionInvalid = LambdaError(.invalidSignature, "Credential should be scoped to a valid region.")

    static let sessionTokenUnsupported = LambdaError(
        .unrecognizedClient,
        "The security token included in the request is invalid. Temporary credentials are not known here; "
            + "sign with a long-term access key and send no X-Amz-Security-Token.")
}
