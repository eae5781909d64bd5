import EngineCore
import FunctionCatalog
import HTTPTypes
import HummingbirdCore
import NIOCore

extension LambdaResponder {
    /// Invoke: the one operation whose speed matters.
    func invoke(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        let head = try InvokeHead(call.head.headerFields, limits: limits)
        let reference = try call.reference()
        let key = try call.key(reference)
        let pinned = try pinned(key, reference)
        if head.type == .event { throw .unsupported("InvocationType Event", "Use RequestResponse.") }
        let payload = try event(call.body)
        if head.type == .dryRun { return .noContent }

        let traceID = head.traceID ?? TraceID.make(epochSeconds: services.clock.epochSeconds(), request: call.id)
        let request = InvocationRequest(
            id: call.id, function: pinned, invokedARN: key.arn(qualifier: reference.qualifier), payload: payload,
            clientContext: head.clientContext, traceID: traceID, arrival: call.arrival,
            deadline: call.arrival + (pinned.timeout + configuration.startAllowance), origin: .client)
        let invoke = services.invoke
        let result = await connections.cancellingWhenGone(call.channel) { () -> Result<InvocationResult, InvocationError> in
            do throws(InvocationError) { return .success(try await invoke(request)) } catch { return .failure(error) }
        }
        switch result {
        case .success(let result): return answer(result, traceID: traceID, wantsLog: head.wantsLog)
        case .failure(let error):
            var answer = LambdaAnswer(LambdaError(error))
            answer.add(.waysideError, error.code.rawValue)
            return answer
        }
    }

    private func pinned(_ key: FunctionKey, _ reference: FunctionReference) throws(LambdaError) -> PinnedVersion {
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
        var answer = LambdaAnswer(status: .ok, body: ResponseBody(byteBuffer: result.outcome.payload))
        answer.add(.contentType, "application/json")
        answer.add(.remappedContentLength, "0")
        answer.add(.executedVersion, record.version.description)
        answer.add(.traceID, traceID)
        if case .functionError = result.outcome { answer.add(.functionError, "Unhandled") }
        if wantsLog { answer.add(.logResult, Base64.encode(result.log.tail(limit: limits.logTailBytes.bytes).readableBytesView)) }
        answer.add(.waysideSite, record.site ?? record.node)
        answer.add(.waysideDecision, record.decision.rawValue)
        answer.add(.waysideReason, record.reason.rawValue)
        if let level = record.startLevel { answer.add(.waysideStartLevel, level.rawValue) }
        return answer
    }
}
