import EngineCore
import FunctionCatalog
import HTTPTypes

/// An answer of the operator's API that is not a success: `{"error":CODE,"message":TEXT}`.
struct OperatorFailure: Error {
    let status: HTTPResponse.Status
    let code: String
    /// What failed and what to do about it.
    let message: String

    init(_ status: HTTPResponse.Status, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    /// What is not there is 404, what the catalog cannot answer 503.
    init(_ error: CatalogError) {
        self.init(error.code == .functionNotFound ? .notFound : .serviceUnavailable, error.code.rawValue, error.message)
    }

    /// What the function or its code stands in the way of is 409, what passes 503.
    init(_ error: InvocationError) {
        let status: HTTPResponse.Status =
            switch error.code {
            case .codeUnavailable, .startFailed, .versionNotHeld, .rejectedByPolicy, .noPermission, .reservedConcurrency, .affinity:
                .conflict
            case .overloaded, .variableCapacity, .draining, .codeNotCurrent, .launcherLost, .hopLimit, .noRegion: .serviceUnavailable
            case .deadlineExceeded: .gatewayTimeout
            case .aborted, .regionFailed, .internalFailure: .internalServerError
            }
        self.init(status, error.code.rawValue, error.message)
    }

    /// What is not there is 404, what cannot be is 400, what something stands in the way of 409, what passes 503.
    init(_ error: CapacityFailure) {
        let status: HTTPResponse.Status =
            switch error.code {
            case .unknownSubPool, .notFound: .notFound
            case .invalidSetting: .badRequest
            case .notEnoughMemory, .conflict: .conflict
            case .unavailable: .serviceUnavailable
            }
        self.init(status, error.code.rawValue, error.message)
    }
}
