public import EngineCore

extension LambdaError {
    /// How the client of this node hears of what the engine could not do.
    ///
    /// | engine | answer | why |
    /// | --- | --- | --- |
    /// | overloaded | 429 `TooManyRequestsException`, `ConcurrentInvocationLimitExceeded` | as AWS without concurrency left |
    /// | reservedConcurrency | 429, `ReservedFunctionConcurrentInvocationLimitExceeded` | as AWS, word for word |
    /// | rejectedByPolicy, noPermission, variableCapacity | 429, `ConcurrentInvocationLimitExceeded`, own message | another try may do |
    /// | affinity | 412 `PreconditionFailedException` | the required container is gone, too small or another's: another try fails, too |
    /// | draining | 503 `ServiceUnavailableException` with `Retry-After` | SDKs retry by the status and reach another node |
    /// | noRegion | 503, as draining | as soon as a link is mended, or a container free, another try may do |
    /// | codeNotCurrent | 503, as draining | the code is being fetched, and no region can take the call meanwhile |
    /// | hopLimit | 508 `HopLimitExceededException` | every site on the way was full; AWS has no such case |
    /// | codeUnavailable | 502 `InvalidZipFileException` | as AWS when the code cannot be had at run time |
    /// | all others | 500 `ServiceException` | the engine's own fault, or nobody knows whether the handler ran |
    ///
    /// The second word of a 429 is its `Reason`. A 429 and a 503 carry `Retry-After`; all carry `Wayside-Error` with the engine's code. A
    /// required container that is only busy is rejectedByPolicy, so that SDKs repeat the call.
    public init(_ error: InvocationError) {
        switch error.code {
        case .overloaded: self = .throttled(.concurrency)
        case .reservedConcurrency: self = .throttled(.reservedConcurrency)
        case .rejectedByPolicy, .noPermission, .variableCapacity: self = .throttled(.concurrency, error.message)
        case .affinity: self.init(.preconditionFailed, error.message)
        case .draining, .noRegion, .codeNotCurrent: self.init(.serviceUnavailable, error.message)
        case .hopLimit: self.init(.hopLimitExceeded, error.message)
        case .codeUnavailable: self.init(.invalidZipFile, error.message)
        case .versionNotHeld, .startFailed, .launcherLost, .deadlineExceeded, .aborted, .regionFailed, .internalFailure:
            self.init(.service, error.message)
        }
    }
}
