import EngineCore
import HTTPTypes
import HummingbirdCore
import NIOCore

// The operation that answers while the function still runs.
//
//     begun ──head──► 200, event stream ──bytes──► PayloadChunk … ──end──► InvokeComplete
//       ├──end: a result──► 200, event stream of one PayloadChunk and InvokeComplete
//       └──end: an error of the engine──► the answer that Invoke gives
//
// Nothing is answered before the first part, so that what went wrong until then is an ordinary HTTP error.
extension LambdaResponder {
    func prepareStreamed(_ call: LambdaCall) throws(LambdaError) -> PreparedInvocation {
        var prepared = try prepare(call)
        if prepared.type == .event { throw .unsupported("InvocationType Event", "Use RequestResponse.") }
        prepared.request.results = ResultStream(bytesMax: limits.streamedBytes?.bytes)
        return prepared
    }

    /// Runs an invocation and answers it. When the client goes away, the run ends.
    /// - Throws: only what writing to the connection throws.
    @concurrent
    func stream(_ prepared: PreparedInvocation, on channel: any Channel, _ writer: consuming ResponseWriter) async throws {
        let request = prepared.request
        guard prepared.type == .requestResponse, let results = request.results else {
            var answer = LambdaAnswer.noContent
            return try await writer.writeResponse(complete(&answer, request.id, now: services.clock.epochSeconds()))
        }
        let connection = connections.cancelWhenGone(channel)
        defer { connection?.end() }
        async let run: Void = Self.run(request, into: results, services.invoke)
        var answer: LambdaAnswer
        switch await results.next() {
        case .head(let head)?: answer = streamed(head, results, prepared, on: channel)
        case .end(let result)?: answer = whole(result, prepared)
        case .bytes?, nil: throw CancellationError()
        }
        try await writer.write(response: complete(&answer, request.id, now: services.clock.epochSeconds()), body: answer.body)
        await run
    }

    private static func run(
        _ request: InvocationRequest, into results: ResultStream,
        _ invoke: @Sendable (InvocationRequest) async throws(InvocationError) -> InvocationResult
    ) async {
        do throws(InvocationError) {
            results.end(.success(try await invoke(request)))
        } catch {
            results.end(.failure(error))
        }
    }

    // MARK: Answers

    /// What has begun: the rest follows as it is made.
    private func streamed(
        _ head: ResultStream.Head, _ results: ResultStream, _ prepared: PreparedInvocation, on channel: any Channel
    ) -> LambdaAnswer {
        let body = ResponseBody { writer in
            while let part = await results.next() {
                switch part {
                case .head: break
                case .bytes(let bytes):
                    try await writer.write(EventStreamMessage.payloadChunk(bytes))
                    try await channel.keepPace()
                case .end(let result):
                    try await writer.write(self.completion(result, prepared))
                    return try await writer.finish(nil)
                }
            }
            // The client has gone.
            throw CancellationError()
        }
        var answer = LambdaAnswer(status: .ok, body: body)
        addFields(to: &answer, prepared, contentType: head.contentType)
        addPlace(to: &answer, site: head.site, decision: head.decision, reason: head.reason, startLevel: head.startLevel)
        return answer
    }

    /// What has ended without having been streamed.
    private func whole(_ result: Result<InvocationResult, InvocationError>, _ prepared: PreparedInvocation) -> LambdaAnswer {
        guard case .success(let success) = result else { return answer(result, to: prepared) }
        var content = ByteBuffer()
        if case .success(let payload) = success.outcome, payload.readableBytes > 0 { content = EventStreamMessage.payloadChunk(payload) }
        content.writeImmutableBuffer(completion(result, prepared))
        var answer = LambdaAnswer(status: .ok, content: content)
        addFields(to: &answer, prepared, contentType: "application/json")
        let record = success.record
        addPlace(
            to: &answer, site: record.site ?? record.node, decision: record.decision, reason: record.reason, startLevel: record.startLevel)
        if prepared.request.affinity != nil { addAffinity(record, to: &answer, function: prepared.request.function) }
        return answer
    }

    private func addFields(to answer: inout LambdaAnswer, _ prepared: PreparedInvocation, contentType: String?) {
        answer.add(.contentType, "application/vnd.amazon.eventstream")
        answer.add(.remappedContentType, contentType ?? "application/octet-stream")
        answer.add(.executedVersion, prepared.request.function.version.description)
        answer.add(.traceID, prepared.request.traceID)
    }

    /// `InvokeComplete`. `ErrorCode` is `Unhandled` for what the handler raised, Lambda's own error type for what ended it otherwise
    /// (`Sandbox.Timedout`, `Runtime.ExitError`, `Function.ResponseSizeTooLarge` …), and the engine's code for what is none of the
    /// function's doing (`region_failed` …).
    private func completion(_ result: Result<InvocationResult, InvocationError>, _ prepared: PreparedInvocation) -> ByteBuffer {
        var code: String?
        var details: String?
        var log: String?
        switch result {
        case .success(let result):
            if case .functionError(let error) = result.outcome {
                code = result.record.errorType.flatMap { Self.isEngines($0) ? $0 : nil } ?? "Unhandled"
                details = String(buffer: error)
            }
            if prepared.wantsLog { log = Base64.encode(result.log.tail(limit: limits.logTailBytes.bytes).readableBytesView) }
        case .failure(let error): (code, details) = (error.code.rawValue, error.message)
        }
        let json = JSONWriter.object { json in
            json.member("ErrorCode", code)
            json.member("ErrorDetails", details)
            json.member("LogResult", log)
        }
        return EventStreamMessage.invokeComplete(ByteBuffer(bytes: json))
    }

    /// Whether an error type is one of those that Lambda itself gives.
    private static func isEngines(_ type: String) -> Bool {
        ["Sandbox.", "Runtime.", "Function."].contains { type.hasPrefix($0) }
    }
}
