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
        origin = request.forwarded
    }

    /// The call goes somewhere now. Where it was tried before, that was decided when it went there first.
    mutating func noteDecided(_ request: InvocationRequest, at now: EngineInstant) {
        if tries == nil { spans.decide = (now - request.arrival).inMilliseconds }
    }

    /// It goes to a region, whose doing its end will be until that says otherwise.
    mutating func noteSent(_ request: InvocationRequest, at now: EngineInstant) {
        noteDecided(request, at: now)
        endingParty = .region
    }

    /// An attempt at `node` has failed. That a client has gone is no failure of the node.
    mutating func note(
        _ error: InvocationError, at node: String, since began: EngineInstant, now: EngineInstant, _ request: InvocationRequest
    ) {
        guard error.code != .aborted else { return }
        note(
            InvocationTry(
                at: node, error, began: (began - request.arrival).inMilliseconds, took: (now - began).inMilliseconds))
    }
}
