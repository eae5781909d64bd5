public import EngineCore

/// The texts of the control and invocation operations, as recorded on AWS.
extension LambdaError {
    public static func functionNotFound(_ key: FunctionKey, qualifier: String? = nil) -> LambdaError {
        LambdaError(.resourceNotFound, "Function not found: \(key.arn(qualifier: qualifier))")
    }

    public static func functionExists(name: String) -> LambdaError {
        LambdaError(.resourceConflict, "Function already exist: \(name)")
    }

    /// AWS's words for a change that comes while another one is being made.
    static func updateInProgress(_ key: FunctionKey?) -> LambdaError {
        let of = key.map { ": \($0.arn)" } ?? ""
        return LambdaError(
            .resourceConflict, "The operation cannot be performed at this time. An update is in progress for resource\(of)")
    }

    public static let revisionMismatch = LambdaError(
        .preconditionFailed,
        "The Revision Id provided does not match the latest Revision Id. "
            + "Call the GetFunction/GetAlias API to retrieve the latest Revision Id")

    public static let latestNotDeletable = LambdaError(
        .invalidParameterValue, "$LATEST version cannot be deleted without deleting the function.")

    public static let notUnzippable = LambdaError(
        .invalidParameterValue, "Could not unzip uploaded file. Please check your file, then try to upload again.")

    /// - Parameter bytes: the largest sum of the sizes of a bundle's files.
    public static func unzippedTooLarge(bytes: Int) -> LambdaError {
        LambdaError(.invalidParameterValue, "Unzipped size must be smaller than \(bytes) bytes")
    }

    /// - Parameter bytes: the largest size of a bundle sent in a request.
    public static func zippedTooLarge(bytes: Int) -> LambdaError {
        LambdaError(.requestEntityTooLarge, "Zipped size must be smaller than \(bytes) bytes")
    }

    /// - Parameter operation: its name in the API, such as `CreateFunction`.
    public static func requestTooLarge(bytes: Int, operation: String) -> LambdaError {
        let code: Code = operation.hasPrefix("Invoke") ? .requestTooLarge : .requestEntityTooLarge
        return LambdaError(code, "Request must be smaller than \(bytes) bytes for the \(operation) operation")
    }

    /// Environment variables over 4 KB; `measured` is their compact JSON.
    public static func environmentTooLarge(measured: String) -> LambdaError {
        LambdaError(
            .invalidParameterValue,
            "Lambda was unable to configure your environment variables because the environment variables you have "
                + "provided exceeded the 4KB limit. String measured: \(measured)")
    }

    public static func reservedEnvironment(keys: [String]) -> LambdaError {
        LambdaError(
            .invalidParameterValue,
            "Lambda was unable to configure your environment variables because the environment variables you have "
                + "provided contains reserved keys that are currently not supported for modification. "
                + "Reserved keys used in this request: \(keys.joined(separator: ", "))")
    }

    /// PublishVersion or an update with a `CodeSha256` that is not `$LATEST`'s.
    public static func codeDigestMismatch(given: String, current: String) -> LambdaError {
        LambdaError(
            .invalidParameterValue,
            "CodeSHA256 (\(given)) is different from current CodeSHA256 in $LATEST (\(current)). "
                + "Please try again with the CodeSHA256 in $LATEST.")
    }

    /// An event that is not JSON; `detail` says where.
    public static func notJSON(_ detail: String) -> LambdaError {
        LambdaError(.invalidRequestContent, "Could not parse request body into json: \(detail)")
    }

    /// - Parameter message: AWS's, unless the engine has something to say that AWS has no case for.
    public static func throttled(_ reason: ThrottleReason, _ message: String = "Rate Exceeded.") -> LambdaError {
        LambdaError(.tooManyRequests, message, reason: reason)
    }

    public static let provisionedConcurrencyConfigNotFound = LambdaError(
        .provisionedConcurrencyConfigNotFound, "No Provisioned Concurrency Config found for this function")

    public static let serviceFailure = LambdaError(.service, "An error occurred and the request cannot be processed.")

    public static let qualifierMismatch = LambdaError(
        .invalidParameterValue, "The derived qualifier from the function name does not match the specified qualifier.")

    public static func otherRegion(_ region: String, here: String) -> LambdaError {
        LambdaError(.resourceNotFound, "Functions from '\(region)' are not reachable in this region ('\(here)')")
    }

    public static func accessDenied(caller: AccountID, action: String, resource: String) -> LambdaError {
        LambdaError(
            .accessDenied,
            "User: arn:aws:iam::\(caller):root is not authorized to perform: \(action) on resource: \(resource)")
    }
}

/// The texts of what this engine does not do.
extension LambdaError {
    public static let qualifierNotPermitted = LambdaError(
        .invalidParameterValue,
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
            + "Please specify either a function name or an unqualified function ARN.")

    /// AWS's words, and what to do here.
    static func aliasNotFound(_ key: FunctionKey, _ alias: String) -> LambdaError {
        LambdaError(
            .resourceNotFound,
            "Cannot find alias arn: \(key.arn(qualifier: alias)). This engine has no aliases; name the number of a published version.")
    }

    /// A member that every request of the operation has. - Parameter path: in lower camel case.
    static func missing(_ path: String) -> LambdaError {
        LambdaError(
            .validation, "1 validation error detected: Value null at '\(path)' failed to satisfy constraint: Member must not be null")
    }

    /// A request that is for no operation this engine has.
    public static func unknownOperation(_ method: String, _ path: String) -> LambdaError {
        LambdaError(.unknownOperation, "This engine has no operation \(method) \(path.prefix(200)).")
    }

    /// A member that would change what a function is or does, in a way this engine cannot do.
    public static func unsupported(_ member: String, _ instead: String) -> LambdaError {
        LambdaError(.invalidParameterValue, "\(member) is not supported by this engine. \(instead)")
    }
}
