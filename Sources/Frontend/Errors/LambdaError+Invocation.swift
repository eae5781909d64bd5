public import EngineCore

extension LambdaError {
    /// How the client of this node hears of what the engine could not do.
    ///
    /// | engine | answer | why |
    /// | --- | --- | --- |
    /// | overloaded | 429 `TooManyRequestsException` with `Retry-After` | as AWS without concurrency left; surely not started |
    /// | draining | 503 `ServiceUnavailableException` with `Retry-After` | SDKs retry by the status and reach another node |
    /// | hopLimit | 508 `HopLimitExceededException` | every site on the way was full; AWS has no such case |
    /// | codeUnavailable | 502 `InvalidZipFileException` | as AWS when the code cannot be had at run time |
    /// | all others | 500 `ServiceException` | the engine's own fault, or nobody knows whether the handler ran |
    public init(_ error: InvocationError) {
        switch error.code {
        case .overloaded, .rejectedByPolicy, .noPermission, .variableCapacity, .affinity: self = .throttled(.concurrency)
        case .reservedConcurrency: self = .throttled(.reservedConcurrency)
        case .draining: self.init(.serviceUnavailable, error.message)
        case .hopLimit: self.init(.hopLimitExceeded, error.message)
        case .codeUnavailable: self.init(.invalidZipFile, error.message)
        case .versionNotHeld, .startFailed, .launcherLost, .deadlineExceeded, .aborted, .regionFailed, .internalFailure:
            self.init(.service, error.message)
        }
    }
}
