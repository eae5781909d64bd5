internal import CapacityPools
internal import EngineCore
internal import Logging
internal import Placement
internal import RegionForwarding
internal import Synchronization

// Looked up before it is decided whether a call runs here or in a region: where its container is, there it goes.
//
//     the token's or the value's frontend of this site ─► there        (it runs it, whatever its own placement would say)
//     the container is here                            ─► here
//     the token's region, or the one that served the value last ─► there
//     otherwise                                        ─► decided like any other call
extension InvocationRouter {
    /// - Returns: what another node answered; `nil` when the call is to be decided here, its wish then being settled.
    func followAffinity(
        _ request: inout InvocationRequest, _ record: inout InvocationRecord
    ) async throws(InvocationError) -> InvocationResult? {
        var excluded: Set<String> = []
        while let owner = site?.owner(of: request, excluding: excluded, now: .now()) {
            let began = EngineInstant.now()
            do throws(InvocationError) {
                record.follow()
                return try await forward(request, by: owner, &record)
            } catch {
                record.note(error, at: owner.name, since: began, now: .now(), request)
                try passOver(owner.name, error, record, request)
                excluded.insert(owner.name)
            }
        }
        if let region = region(of: request) {
            let began = EngineInstant.now()
            do throws(InvocationError) {
                record.follow()
                return try await forward(request, to: region, &record)
            } catch {
                record.note(error, at: region, since: began, now: .now(), request)
                try passOver(region, error, record, request)
                if let key = SiteRing.Key(request) { regionAffinity.withLock { $0.forget(key) } }
            }
        }
        request.affinity = request.affinity?.settled(at: node, generation: pool.generation)
        if let demand = request.affinity, demand.mode == .require, demand.tokenIsVoid {
            record.decision = .refuse
            record.reason = .affinity
            throw leave(
                record,
                InvocationError(
                    .affinity, "The token names no container that can serve this call. Call without it, or without requiring it."),
                request)
        }
        return nil
    }

    /// Whether the call is to be served here for its container's sake: it is here, or this is the frontend of the site that is to have it.
    func isBoundHere(_ request: InvocationRequest) -> Bool {
        guard let demand = request.affinity else { return false }
        return site != nil && demand.value != nil || pool.hasContainer(demand, of: request.function)
    }

    /// A value's call was begun here (`nil`) or served by a region: its next one goes there.
    func noteServed(_ request: InvocationRequest, by region: String?) {
        guard regions != nil, let key = SiteRing.Key(request) else { return }
        regionAffinity.withLock { table in
            if let region { table.note(key, at: region, now: .now()) } else { table.forget(key) }
        }
    }

    /// The region that has the container, if that can be reached; `nil` when the container is here, or nobody knows of one.
    private func region(of request: InvocationRequest) -> String? {
        guard let regions, role == .pop, case .client = request.origin, let demand = request.affinity,
            !isBoundHere(request.settled(at: node, generation: pool.generation))
        else { return nil }
        let now = EngineInstant.now()
        let named = demand.container == nil ? nil : demand.node.flatMap { regions.client($0) }
        let known = named == nil ? SiteRing.Key(request).flatMap { key in regionAffinity.withLock { $0.region(of: key, now: now) } } : nil
        guard let client = named ?? known.flatMap({ regions.client($0) }), client.isReachable(now: now) else { return nil }
        return client.name
    }

    /// That a container cannot have the call is an answer; that its node cannot is none.
    private func passOver(
        _ node: String, _ error: InvocationError, _ record: InvocationRecord, _ request: InvocationRequest
    ) throws(InvocationError) {
        let isAnswer = CapacityRefusal(error.code) != nil && error.code != .overloaded
        guard !isAnswer, !Task.isCancelled, request.mayGoElsewhere(after: error, record, now: .now()) else {
            throw leave(record, error, request)
        }
        logger.warning("the node that has a call's container did not take it", metadata: ["node": "\(node)", "error": "\(error)"])
    }
}

extension InvocationRecord {
    fileprivate mutating func follow() {
        decision = .forward
        reason = .affinityElsewhere
    }
}

extension InvocationRequest {
    fileprivate func settled(at node: String, generation: UInt64) -> InvocationRequest {
        var settled = self
        settled.affinity = affinity?.settled(at: node, generation: generation)
        return settled
    }
}

extension SiteRing.Key {
    /// `nil` for a call without a routing value.
    fileprivate init?(_ request: InvocationRequest) {
        guard let value = request.affinity?.value else { return nil }
        self.init(function: request.function.key, version: request.function.version, value: value)
    }
}
