import HTTPTypes

/// The header names of the API, made once: making one validates it.
extension HTTPField.Name {
    // Of requests.
    static let clientContext = known("X-Amz-Client-Context")
    static let invocationType = known("X-Amz-Invocation-Type")
    static let logType = known("X-Amz-Log-Type")
    static let traceID = known("X-Amzn-Trace-Id")
    /// When the request was signed.
    static let amzDate = known("X-Amz-Date")

    // Of answers.
    /// The name of the exception.
    static let errorType = known("x-amzn-ErrorType")
    static let requestID = known("x-amzn-RequestId")
    static let executedVersion = known("X-Amz-Executed-Version")
    static let functionError = known("X-Amz-Function-Error")
    static let logResult = known("X-Amz-Log-Result")
    /// The content type of a streamed result, whose events have another.
    static let remappedContentType = known("X-Amzn-Remapped-Content-Type")
    static let remappedContentLength = known("X-Amzn-Remapped-Content-Length")

    // This engine's own.
    /// The node, or the site of the region, that ran the call.
    static let waysideSite = known("Wayside-Site")
    /// `run` or `forward`.
    static let waysideDecision = known("Wayside-Decision")
    static let waysideReason = known("Wayside-Reason")
    /// `VERSION/REVISION` of what ran in place of the newest version, whose code was at hand nowhere.
    static let waysideStale = known("Wayside-Stale")
    static let waysideStartLevel = known("Wayside-Start-Level")
    /// The engine's own code of an invocation it could not bring to a result.
    static let waysideError = known("Wayside-Error")

    /// A token that names the container a sticky call ran in; as a request's header, the container it wants.
    static let waysideContainer = known("Wayside-Container")
    /// `hit`, `moved`, `gone` or `new`.
    static let waysideAffinityResult = known("Wayside-Affinity-Result")
    /// `true` when the container was busy and another one served the call.
    static let waysideAffinityOverflow = known("Wayside-Affinity-Overflow")
    /// `void` when the caller's token named no container that could be had.
    static let waysideAffinityToken = known("Wayside-Affinity-Token")

    /// A name spelled in this file.
    private static func known(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is not a legal field name.") }
        return name
    }
}
