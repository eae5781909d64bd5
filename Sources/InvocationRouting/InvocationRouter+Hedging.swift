internal import EngineCore
internal import Placement
internal import RegionForwarding
internal import Synchronization

// A call that its owner allows to run twice, with a region that takes its time:
//
//     first ────────────────┬───────────────► answer, or failure
//              T, and credit └─► second ────► answer, or failure
//
// The first answer counts, and the other call is cancelled down to its container. A failure counts when nothing is under way any more;
// before T it ends the call here, to be decided anew.
extension InvocationRouter {
    /// What a region makes of a call: `client`'s, or a second one's when that takes too long.
    func answer(
        _ request: InvocationRequest, by client: RegionClient, suppliesIfMissing: Bool, _ record: inout InvocationRecord
    ) async throws(InvocationError) -> ForwardedAnswer {
        let reason = record.reason
        let origin = ForwardOrigin(record, to: client.name, elapsed: (EngineInstant.now() - request.arrival).inMilliseconds)
        guard let hedging, request.function.placement.isIdempotent, request.affinity == nil, request.results == nil,
            EngineInstant.now() + hedging.after < request.deadline
        else {
            return try await client.forward(request, reason: reason, decision: origin, suppliesIfMissing: suppliesIfMissing)
        }
        hedges.withLock { $0.earn() }
        let began = EngineInstant.now()
        var race = HedgedCall(first: client.name)
        await withTaskGroup(of: HedgedCall.Event.self) { group in
            group.addTask {
                await .ended(client.name) { () async throws(InvocationError) in
                    try await client.forward(request, reason: reason, decision: origin, suppliesIfMissing: suppliesIfMissing)
                }
            }
            group.addTask {
                // Ends early when the call has ended or its client has gone: then nothing is sent any more.
                try? await Task.sleep(for: hedging.after)
                return .due
            }
            while let event = await group.next() {
                if case .due = event, !race.isOver, !Task.isCancelled,
                    let second = self.second(for: request, besides: Set((record.tries ?? []).map(\.node) + [client.name]))
                {
                    let name = second.name
                    race.second = (name, .now())
                    let origin = ForwardOrigin(record, to: name, elapsed: (EngineInstant.now() - request.arrival).inMilliseconds)
                    group.addTask {
                        await .ended(name) { () async throws(InvocationError) in
                            try await second.forward(request, reason: reason, decision: origin, suppliesIfMissing: false)
                        }
                    }
                }
                race.note(event)
                if race.isOver { group.cancelAll() }
            }
        }
        for (node, error) in race.losses where error.code != .aborted || error.stage == .overtaken {
            let sent = node == client.name ? began : race.second?.sentAt ?? began
            record.note(
                InvocationTry(
                    at: node, error, began: (sent - request.arrival).inMilliseconds, took: (EngineInstant.now() - sent).inMilliseconds))
        }
        return try race.outcome.get()
    }

    /// Another region that holds the version, if one may be sent a call that those of `tried` have or have not taken. What it costs has
    /// been paid then.
    private func second(for request: InvocationRequest, besides tried: Set<String>) -> RegionClient? {
        guard let regions, let name = regions.choose(for: request.function, tried: tried).region,
            regions.holders(revision: request.function.revision).contains(name), let client = regions.client(name),
            hedges.withLock({ $0.spend() })
        else { return nil }
        return client
    }
}

/// The state of a call that may be in two regions.
private struct HedgedCall {
    enum Event: Sendable {
        case due
        case ended(String, Result<ForwardedAnswer, InvocationError>)

        static func ended(
            _ node: String, _ body: @Sendable () async throws(InvocationError) -> ForwardedAnswer
        ) async -> Event {
            do throws(InvocationError) { return .ended(node, .success(try await body())) } catch { return .ended(node, .failure(error)) }
        }
    }

    let first: String
    var second: (name: String, sentAt: EngineInstant)?
    private var answer: (node: String, answer: ForwardedAnswer)?
    private var errors: [String: InvocationError] = [:]
    private static let overtaken = InvocationError(.aborted, "Another region answered first.", stage: .overtaken)

    init(first: String) { self.first = first }

    /// Nothing that is under way can change the outcome.
    var isOver: Bool { answer != nil || errors.count == (second == nil ? 1 : 2) }

    mutating func note(_ event: Event) {
        guard case .ended(let node, let result) = event else { return }
        switch result {
        case .success(let answer) where self.answer == nil: self.answer = (node, answer)
        case .success: errors[node] = Self.overtaken
        case .failure where answer != nil: errors[node] = Self.overtaken
        case .failure(let error): errors[node] = error
        }
    }

    /// Of several failures that of the first region: the second was an extra.
    var outcome: Result<ForwardedAnswer, InvocationError> {
        if let answer { return .success(answer.answer) }
        return .failure(errors[first] ?? InvocationError(.internalFailure, "A call ended without an answer or an error."))
    }

    /// What did not become the outcome, as tries of the call.
    var losses: [(node: String, error: InvocationError)] {
        [first, second?.name].compactMap { name in
            guard let name, let error = errors[name], answer != nil || name != first else { return nil }
            return (name, error)
        }
    }
}
