internal import EngineCore
internal import Foundation
internal import NIOCore

extension InvocationRecord {
    /// The record of a call that has just arrived. Decision and ending are overwritten as they become known.
    init(_ request: InvocationRequest, node: String) {
        let (forwardedBy, hops): (String?, Int) =
            switch request.origin {
            case .client: (nil, 0)
            case .peer(let node, let hops): (node, hops)
            }
        self.init(
            requestID: request.id, functionARN: request.function.key.arn, version: request.function.version,
            account: request.function.key.account, node: node, decision: .refuse, reason: .draining,
            arrivalEpochSeconds: Date().timeIntervalSince1970, outcome: .engineError, endingParty: .engine,
            memoryLimit: request.function.memory, requestByteCount: request.payload.readableBytes, forwardedBy: forwardedBy, hops: hops)
    }
}
