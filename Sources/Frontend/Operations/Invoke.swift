import EngineCore
import FunctionCatalog
import HTTPTypes
import HummingbirdCore
import NIOCore

extension LambdaResponder {
    /// Invoke: the one operation whose speed matters.
    func invoke(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        let prepared = try prepare(call)
        switch prepared.type {
        case .event: throw .unsupported("InvocationType Event", "Use RequestResponse.")
        case .dryRun: return .noContent
        case .requestResponse: break
        }
        let invoke = services.invoke
        let request = prepared.request
        let result = await connections.cancellingWhenGone(call.channel) { () -> Result<InvocationResult, InvocationError> in
            do throws(InvocationError) { return .success(try await invoke(request)) } catch { return .failure(error) }
        }
        return answer(result, to: prepared)
    }

    /// An invocation, ready to be run, and what its answer needs.
    struct PreparedInvocation: Sendable {
        let type: InvokeHead.InvocationType
        let wantsLog: Bool
        var request: InvocationRequest
    }

    func prepare(_ call: LambdaCall) throws(LambdaError) -> PreparedInvocation {
        let head = try InvokeHead(call.head.headerFields, limits: limits)
        let reference = try call.reference()
        let key = try call.key(reference)
        let pinned = try pinned(key, reference)
        let event = try event(call.body)
        var request = InvocationRequest(
            id: call.id, function: pinned, invokedARN: key.arn(qualifier: reference.qualifier), payload: event,
            clientContext: head.clientContext,
            traceID: head.traceID ?? TraceID.make(epochSeconds: services.clock.epochSeconds(), request: call.id), arrival: call.arrival,
            deadline: call.arrival + (pinned.timeout + configuration.startAllowance + (head.affinity?.deferral ?? .zero)), origin: .client)
        if AffinityReader.isNeeded(pinned, head) {
            let reader = AffinityReader(
                function: pinned, head: head, call: call, event: event, tokens: services.affinityTokens,
                epochSeconds: services.clock.epochSeconds())
            request.affinity = try reader.demand()
            request.deferral = head.affinity?.deferral
        }
        return PreparedInvocation(type: head.type, wantsLog: head.wantsLog, request: request)
    }

    func answer(_ result: Result<InvocationResult, InvocationError>, to prepared: PreparedInvocation) -> LambdaAnswer {
        switch result {
        case .success(let result):
            var answer = answer(result, traceID: prepared.request.traceID, wantsLog: prepared.wantsLog)
            if prepared.request.affinity != nil { addAffinity(result.record, to: &answer, function: prepared.request.function) }
            return answer
        case .failure(let error): return LambdaAnswer(error)
        }
    }

    func pinned(_ key: FunctionKey, _ reference: FunctionReference) throws(LambdaError) -> PinnedVersion {
        guard let version = FunctionVersion(reference.qualifier ?? "$LATEST") else {
            throw .functionNotFound(key, qualifier: reference.qualifier)
        }
        do throws(CatalogError) {
            return try services.catalog.pinned(key, version)
        } catch {
            throw LambdaError(error, key, qualifier: version.description)
        }
    }

    /// The event: what came, checked, or `{}` for nothing.
    private func event(_ body: ByteBuffer) throws(LambdaError) -> ByteBuffer {
        guard body.readableBytes > 0 else { return ByteBuffer(staticString: "{}") }
        let fault: JSONFault? = body.withUnsafeReadableBytes { bytes in
            do throws(JSONFault) {
                try JSONScanner.validate(bytes)
                return nil
            } catch {
                return error
            }
        }
        if let fault { throw .notJSON("Could not parse payload into json: \(fault)") }
        return body
    }

    private func answer(_ result: InvocationResult, traceID: String, wantsLog: Bool) -> LambdaAnswer {
        let record = result.record
        var answer = LambdaAnswer(status: .ok, content: result.outcome.payload)
        answer.add(.contentType, "application/json")
        answer.add(.remappedContentLength, "0")
        answer.add(.executedVersion, record.version.description)
        answer.add(.traceID, traceID)
        if case .functionError = result.outcome { answer.add(.functionError, "Unhandled") }
        if wantsLog { answer.add(.logResult, Base64.encode(result.log.tail(limit: limits.logTailBytes.bytes).readableBytesView)) }
        addPlace(
            to: &answer, site: record.site ?? record.node, decision: record.decision, reason: record.reason, startLevel: record.startLevel)
        if let revision = record.staleRevision { answer.add(.waysideStale, "\(record.version)/\(revision)") }
        return answer
    }

    /// Where the call ran and why there, as far as it is known.
    func addPlace(
        to answer: inout LambdaAnswer, site: String?, decision: InvocationRecord.Decision?, reason: DecisionReason?, startLevel: StartLevel?
    ) {
        if let site { answer.add(.waysideSite, site) }
        if let decision { answer.add(.waysideDecision, decision.rawValue) }
        if let reason { answer.add(.waysideReason, reason.rawValue) }
        if let startLevel { answer.add(.waysideStartLevel, startLevel.rawValue) }
    }
}
