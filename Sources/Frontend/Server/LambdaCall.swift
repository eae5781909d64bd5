import EngineCore
import HTTPTypes
import NIOCore

/// One signed request of the API, received whole.
struct LambdaCall: Sendable {
    let id: RequestID
    let operation: LambdaOperation
    /// The function or ARN of the path, decoded.
    let resource: String
    let target: RequestTarget
    let head: HTTPRequest
    let caller: AuthenticatedCaller
    let body: ByteBuffer
    /// When the body had been received.
    let arrival: EngineInstant
    let channel: any Channel

    /// The function of the path, with the qualifier of path or query.
    func reference() throws(LambdaError) -> FunctionReference {
        try FunctionReference(resource, queryQualifier: target.parameter("Qualifier"))
    }

    /// The function of the path.
    func key(_ reference: FunctionReference) throws(LambdaError) -> FunctionKey {
        try reference.key(account: caller.account, region: caller.region, action: operation.action)
    }

    /// The function of the path, where versions cannot be meant.
    func unqualifiedKey() throws(LambdaError) -> FunctionKey {
        let reference = try FunctionReference(resource)
        guard reference.qualifier == nil || reference.qualifier == "$LATEST" else { throw .qualifierNotPermitted }
        return try key(reference)
    }
}
