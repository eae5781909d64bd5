import EngineCore
import FunctionCatalog

extension LambdaError {
    /// - Parameters:
    ///   - key: the function the request was about; `nil` when it was about none.
    ///   - qualifier: as the caller gave it.
    init(_ error: CatalogError, _ key: FunctionKey?, qualifier: String? = nil) {
        switch error.code {
        case .functionNotFound:
            self = key.map { .functionNotFound($0, qualifier: qualifier) } ?? LambdaError(.resourceNotFound, "Function does not exist")
        case .functionExists: self = .functionExists(name: key?.name ?? "")
        case .revisionMismatch: self = .revisionMismatch
        case .changedMeanwhile: self = .updateInProgress(key)
        case .latestNotDeletable: self = .latestNotDeletable
        case .markerInvalid: self.init(.invalidParameterValue, "The marker is not one that an earlier page of this list gave.")
        case .concurrencyRefused:
            self = (error.cause as? ConcurrencyRefusal).map { LambdaError($0) } ?? LambdaError(.invalidParameterValue, error.message)
        case .limitReached: self.init(.codeStorageExceeded, error.message)
        case .codeDigestMismatch: self.init(.invalidParameterValue, error.message)
        case .accountNotFound: self.init(.unrecognizedClient, "The security token included in the request is invalid.")
        case .storeFull: self.init(.service, "The storage of this node is full. Tell its operator, then try again.")
        case .accountExists, .accessKeyNotFound, .masterKey, .storeFailed: self = .serviceFailure
        }
    }

    /// AWS's own texts, with its spaces.
    private init(_ refusal: ConcurrencyRefusal) {
        let text =
            switch refusal {
            case .reservedLeavesTooFew(let minimum):
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
                    + "minimum value of [\(minimum)]."
            case .reservedBelowProvisioned(let reserved, let provisioned):
                " ReservedConcurrentExecutions  \(reserved) should not be lower than function's total provisioned concurrency "
                    + "[\(provisioned)]."
            case .unpublished: "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
            case .provisionedAboveReserved:
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
            case .provisionedAboveUnreserved(let unreserved):
                "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [\(unreserved)]."
            case .provisionedLeavesTooFew(let minimum):
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum "
                    + "value of [\(minimum)]."
            }
        self.init(.invalidParameterValue, text)
    }
}
