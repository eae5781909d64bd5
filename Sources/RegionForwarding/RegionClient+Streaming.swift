import EngineCore
import HTTPTypes
import NIOCore
import Synchronization

// A result on its way from a region while it is made there.
//
//     region ──sections──► reader ──bytes──► the call's stream ──► whoever reads that
//                 ▲                             │ full: the next bytes are not asked for, and HTTP/2's window stays shut
//                 └─────────────────────────────┘
extension RegionClient {
    private enum Ending {
        case answered(ForwardedAnswer)
        case failed(ForwardedFailure)
        /// Before anything was done.
        case refused(Exchange)
    }

    /// Sends the invocation once, and hands on its result while it comes.
    func stream(
        _ request: InvocationRequest, _ forwarded: ForwardedInvocation, into results: ResultStream
    ) async throws(InvocationError) -> ForwardedAnswer {
        let payload = RequestBody(opening: forwarded.opening(), request.payload)
        let silence = Silence(until: request.deadline + configuration.answerMargin, pause: configuration.answerMargin)
        let (result, expired) = await silence.ending { () async -> Result<Ending, Failure> in
            do throws(Failure) {
                return .success(try await self.receive(request, payload, into: results, silence))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(.answered(let answer)):
            noteAccepted()
            reports.withLock { $0.showHeld(request.function.revision) }
            guard answer.result.record.requestID == request.id else { throw mixedUp }
            return answer
        case .success(.failed(let failure)):
            throw midway(refusal(failure, revision: request.function.revision), results)
        case .success(.refused(let exchange)):
            throw refusal(exchange, revision: request.function.revision)
        case .failure(.lost(let error as ForwardingError)) where !Task.isCancelled && !expired && payload.wasSent:
            throw InvocationError(.regionFailed, "\(error.message) It has run the call or a part of it.", stage: .midResult)
        case .failure(let failure):
            let failure = Task.isCancelled ? .cancelled : expired ? .late : failure
            throw midway(invocationError(of: failure, payload.wasSent ? .afterSend : .beforeSend), results)
        }
    }

    private func receive(
        _ request: InvocationRequest, _ payload: RequestBody, into results: ResultStream,
        _ silence: Silence
    ) async throws(Failure) -> Ending {
        try await withAnswer(
            .post, ForwardWire.invocationsPath, fields: peerFields, body: payload, headMax: request.deadline - .now()
        ) { status, body, _ in
            guard status == 200 else {
                return .refused(Exchange(status: status, body: try await body.collect(upTo: ForwardWire.documentBytesMax)))
            }
            var reader = StreamedAnswer.Reader()
            for try await bytes in body {
                silence.expect(until: nil)
                reader.append(bytes)
                while let event = try reader.next() {
                    switch event {
                    case .head(let head):
                        results.describe { ($0.site, $0.startLevel) = (head.site, head.startLevel) }
                        results.begin(contentType: head.contentType)
                    case .bytes(let bytes): try await self.pass(bytes, to: results)
                    case .whole(let answer): return .answered(answer)
                    case .failed(let failure): return .failed(failure)
                    }
                }
                silence.expect(until: max(request.deadline, .now()) + self.configuration.answerMargin)
            }
            throw ForwardedAnswer.invalid("was cut off")
        }
    }

    private func pass(_ bytes: ByteBuffer, to results: ResultStream) async throws {
        switch await results.write(bytes) {
        case .goOn, .stop: break
        case .tooLong: throw ForwardedAnswer.invalid("has more than the \(results.bytesMax ?? 0) bytes that were permitted")
        case .unread: throw Failure.cancelled
        }
    }

    /// What has begun to reach the caller cannot be tried elsewhere, whatever went wrong.
    private func midway(_ error: InvocationError, _ results: ResultStream) -> InvocationError {
        guard results.hasBegun, error.code != .aborted else { return error }
        return InvocationError(
            .regionFailed, "The result ended after \(results.writtenByteCount) bytes. \(error.message)", stage: .midResult)
    }
}
