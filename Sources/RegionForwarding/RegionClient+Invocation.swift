public import EngineCore
import Foundation
import HTTPTypes
import Logging
import NIOCore
import NIOHPACK
import NIOHTTP2
import Synchronization

extension RegionClient {
    /// Runs the invocation in the region, supplying its version first if the region lacks it.
    ///
    /// - Parameters:
    ///   - reason: why this node forwards it.
    ///   - decision: what it decided that with, for the region's record.
    ///   - suppliesIfMissing: whether the version is sent to the region that lacks it, as ``RegionSelection`` says; if not, the region
    ///     is no longer taken to hold it, and the call ends with `version_not_held`, to be tried where it is held.
    /// - Throws: see the table at ``RegionClient``.
    public func forward(
        _ request: InvocationRequest, reason: DecisionReason, decision: ForwardOrigin? = nil, suppliesIfMissing: Bool = true
    ) async throws(InvocationError) -> ForwardedAnswer {
        let passage = try begin()
        defer { end(passage) }
        let asked = EngineInstant.now()
        do {
            return try await invoke(request, reason: reason, decision: decision)
        } catch {
            guard error.code == .versionNotHeld, suppliesIfMissing else { throw error }
        }
        let version = request.function
        try await supply.ensure(version.revision, asked: asked, deadline: request.deadline) { () async throws(InvocationError) in
            try await self.send(version, deadline: request.deadline)
        }
        return try await invoke(request, reason: reason, decision: decision)
    }

    /// Runs the invocation in the region without a task: from an event loop the shortest way, for it changes no thread. A region that
    /// lacks the version ends it with `version_not_held`.
    ///
    /// - Parameter completion: called once, on an event loop, before this returns, or by who ends the call. The errors are those of the
    ///   other way.
    /// - Precondition: the result is wanted whole.
    /// - Returns: what ends the call when its client goes away.
    public func forward(
        _ request: InvocationRequest, reason: DecisionReason, decision: ForwardOrigin,
        completion: @escaping @Sendable (Result<ForwardedAnswer, InvocationError>) -> Void
    ) -> @Sendable () -> Void {
        let passage: RegionHealth.Passage
        let sending: Sending
        do throws(InvocationError) {
            passage = try begin()
            do throws(InvocationError) { sending = try Sending(request, reason: reason, decision: decision, by: self) } catch {
                end(passage)
                throw error
            }
        } catch {
            completion(.failure(error))
            return {}
        }
        let connections = acquire()
        let exchange = PeerExchange(head: sending.head, body: sending.payload)
        connections.transport.send(exchange, answerBytesMax: ForwardWire.answerBytesMax, deadline: sending.deadline) { [self] answer in
            connections.release()
            let result: Result<ForwardedAnswer, InvocationError>
            do throws(InvocationError) { result = .success(try understand(answer, of: sending)) } catch { result = .failure(error) }
            end(passage)
            completion(result)
        }
        return { exchange.fail(.cancelled) }
    }

    /// Whether the region holds a version, as far as this node knows. O(1).
    public func holds(_ version: PinnedVersion) -> Bool { reports.withLock { $0.holds(version.revision) } }

    /// - Throws: `overloaded` while another call shows whether the region is back.
    private func begin() throws(InvocationError) -> RegionHealth.Passage {
        let passage = status.withLock { $0.health.begin(now: .now(), showMax: configuration.halfOpenMax) }
        guard passage != .refused else {
            throw InvocationError(.overloaded, "Region \(name) was out of reach, and another call is trying it.", stage: .beforeSend)
        }
        calls.add(1, ordering: .relaxed)
        return passage
    }

    private func end(_ passage: RegionHealth.Passage) {
        calls.subtract(1, ordering: .relaxed)
        if case .trial(let number) = passage { status.withLock { $0.health.ended(trial: number, now: .now()) } }
    }

    /// A call as it is sent.
    private struct Sending {
        let request: InvocationRequest
        let head: HPACKHeaders
        let payload: RequestBody
        let deadline: EngineInstant
        let begun = EngineInstant.now()
        let connectionCount: Int

        /// - Throws: `hopLimit`; `deadlineExceeded`.
        init(
            _ request: InvocationRequest, reason: DecisionReason, decision: ForwardOrigin?, by client: RegionClient
        ) throws(InvocationError) {
            let forwarded = ForwardedInvocation(request, reason: reason, decision: decision, origin: client.node, now: begun)
            try forwarded.admit(hopsMax: client.configuration.hopsMax)
            self.request = request
            payload = RequestBody(opening: forwarded.opening(), request.payload)
            head = PeerTransport.head(client.invocationHead, bodyByteCount: payload.byteCount)
            deadline = request.deadline + client.configuration.answerMargin
            connectionCount = client.connectionCount
        }
    }

    /// Sends the invocation once.
    private func invoke(
        _ request: InvocationRequest, reason: DecisionReason, decision: ForwardOrigin?
    ) async throws(InvocationError) -> ForwardedAnswer {
        if let results = request.results {
            let forwarded = ForwardedInvocation(request, reason: reason, decision: decision, origin: node, now: .now())
            try forwarded.admit(hopsMax: configuration.hopsMax)
            return try await stream(request, forwarded, into: results)
        }
        let sending = try Sending(request, reason: reason, decision: decision, by: self)
        let connections = acquire()
        defer { connections.release() }
        let answer: Result<Exchange, Failure>
        do throws(Failure) {
            answer = .success(
                try await connections.transport.send(
                    PeerExchange(head: sending.head, body: sending.payload), answerBytesMax: ForwardWire.answerBytesMax,
                    deadline: sending.deadline))
        } catch {
            answer = .failure(error)
        }
        return try understand(answer, of: sending)
    }

    /// What an answer, or the want of one, means for the call and for what is known of the region.
    private func understand(_ answer: Result<Exchange, Failure>, of sending: Sending) throws(InvocationError) -> ForwardedAnswer {
        let request = sending.request
        let whole: Exchange
        do throws(Failure) { whole = try answer.get() } catch {
            throw invocationError(of: error, sending.payload.wasSent ? .afterSend : .beforeSend)
        }
        let time = EngineInstant.now() - sending.begun
        guard whole.status == 200 else { throw refusal(whole, revision: request.function.revision) }
        noteAccepted()
        reports.withLock { $0.showHeld(request.function.revision) }
        let result: ForwardedAnswer
        do {
            result = try ForwardedAnswer(body: whole.body)
        } catch {
            throw InvocationError(.regionFailed, "\(error.message) It has run the call or a part of it.", stage: .midResult)
        }
        guard result.result.record.requestID == request.id else { throw mixedUp }
        if max(request.payload.readableBytes, whole.body.readableBytes) <= configuration.measuredBytesMax {
            // What is left when the time between arrival and answer there is taken off was spent on the way.
            noteRoundTrip(time - .milliseconds(result.result.record.spans.total), connections: sending.connectionCount)
        }
        return result
    }

    var mixedUp: InvocationError {
        InvocationError(
            .regionFailed, "Region \(name) answered another call. Look for an intermediary that mixes answers.", stage: .midResult)
    }

    /// What a failed exchange means for the call, and for the region's reachability.
    ///
    /// - Parameter stage: how far the call had come; `beforeSend`, `beforeStart` or `afterSend`.
    func invocationError(of failure: Failure, _ stage: ForwardStage) -> InvocationError {
        switch (failure, stage) {
        case (.cancelled, _): return InvocationError(.aborted, "The client has gone.", stage: stage)
        case (.full, _):
            return InvocationError(.overloaded, "Region \(name) has as many calls from this node as it may have.", stage: .beforeSend)
        case (.late, .afterSend):
            return InvocationError(.regionFailed, "Region \(name) did not answer in time. It may have run the call.", stage: stage)
        case (.late, _):
            return InvocationError(.deadlineExceeded, "The call's time was up before region \(name) was reached.", stage: stage)
        case (.lost(let error), .afterSend) where Self.isRefusal(error):
            return InvocationError(.overloaded, "Region \(name) took no more calls on this connection.", stage: .beforeStart)
        case (.lost(let error), .afterSend):
            logger.notice("The region was lost while it had a call.", metadata: ["error": "\(error)"])
            return InvocationError(
                .regionFailed, "Region \(name) was lost after the call had been sent. It may have run the call.", stage: stage)
        case (.cutOff(let error), .afterSend):
            logger.notice("The region was lost while it answered.", metadata: ["error": "\(error)"])
            return InvocationError(
                .regionFailed, "Region \(name) was lost while it answered. It has run the call.", stage: .midResult)
        case (.lost(let error), _), (.cutOff(let error), _):
            noteFailure("\(error)")
            return InvocationError(.overloaded, "Region \(name) is unreachable.", stage: stage)
        }
    }

    /// Whether the region's server has said that it has not looked at the call: it reset the stream with REFUSED_STREAM, as it does with
    /// one that crosses its GOAWAY (RFC 9113, section 8.7), or has gone away in order and named an earlier stream as its last.
    static func isRefusal(_ error: any Error) -> Bool {
        (error as? NIOHTTP2Errors.StreamClosed)?.errorCode == .refusedStream
    }

    /// What an answer other than 200 means for the call.
    func refusal(_ answer: Exchange, revision: String) -> InvocationError {
        guard let failure = ForwardedFailure(status: answer.status, body: answer.body) else {
            return InvocationError(
                .regionFailed, "Region \(name) answered \(answer.status), which no node does. Check its address.")
        }
        return refusal(failure, revision: revision)
    }

    /// What the region's failure means for the call, and for what is known of the region.
    func refusal(_ failure: ForwardedFailure, revision: String) -> InvocationError {
        let error = failure.invocationError(region: name)
        switch InvocationError.Code(rawValue: failure.code) {
        case .draining: noteFailure("draining")
        case .overloaded: noteRefusal()
        case .versionNotHeld:
            noteSuccess()
            reports.withLock { $0.showMissing(revision) }
        case nil where failure.code == ForwardingError.Code.unsupportedProtocol.rawValue: noteFailure(failure.message)
        default: noteSuccess()
        }
        if error.code.rawValue != failure.code {
            logger.error("The region refuses a call.", metadata: ["code": "\(failure.code)", "message": "\(failure.message)"])
        }
        return error
    }

    /// Sends package, unless the region has it, and version.
    /// - Parameter deadline: of the call that needs it.
    func send(_ version: PinnedVersion, deadline: EngineInstant) async throws(InvocationError) {
        let supplyDeadline = EngineInstant.now() + configuration.supplyTimeout
        do {
            try await send(version, until: min(deadline, supplyDeadline))
        } catch {
            guard error.code == .deadlineExceeded, supplyDeadline < deadline else { throw error }
            throw InvocationError(
                .overloaded, "Sending the code to region \(name) took longer than \(configuration.supplyTimeout).")
        }
    }

    private func send(_ version: PinnedVersion, until deadline: EngineInstant) async throws(InvocationError) {
        let bundlePath = "\(ForwardWire.bundlesPath)/\(version.codeDigest)"
        let held = try await supplying(.head, bundlePath, nil, accepting: [200, 404], deadline: deadline)
        if held.status == 404 {
            let zip = try await package(version.codeDigest)
            _ = try await supplying(.put, bundlePath, zip, accepting: [200, 204], deadline: deadline)
        }
        let document: Data
        do {
            document = try JSONEncoder().encode(version)
        } catch {
            throw InvocationError(.internalFailure, "The version cannot be written: \(error)")
        }
        _ = try await supplying(
            .put, ForwardWire.versionsPath, ByteBuffer(bytes: document), accepting: [200, 204], deadline: deadline)
        reports.withLock { $0.showHeld(version.revision) }
    }

    /// One step of a supply. The invocation itself is not under way, so every failure here is one before its start, except
    /// that time is up.
    private func supplying(
        _ method: HTTPRequest.Method, _ path: String, _ body: ByteBuffer?, accepting: Set<Int>, deadline: EngineInstant
    ) async throws(InvocationError) -> Exchange {
        let answer: Exchange
        do {
            answer = try await exchange(
                method, path, fields: peerFields, body: body.map { RequestBody($0) },
                answerBytesMax: ForwardWire.documentBytesMax,
                deadline: deadline)
        } catch {
            throw invocationError(of: error, .beforeStart)
        }
        guard accepting.contains(answer.status) else {
            let failure = ForwardedFailure(status: answer.status, body: answer.body)
            throw InvocationError(
                .overloaded, "Region \(name) does not take the code: \(failure?.message ?? "it answered \(answer.status)")")
        }
        return answer
    }

    /// Asks the region for its health and notes whether it is reachable. A draining region is not.
    func probe() async {
        let (begin, connections) = (EngineInstant.now(), connectionCount)
        do {
            let answer = try await exchange(
                .get, ForwardWire.healthPath, fields: peerFields, body: nil, answerBytesMax: ForwardWire.documentBytesMax,
                deadline: begin + configuration.probeTimeout)
            guard answer.status == 200 else {
                let said = ForwardedFailure(status: answer.status, body: answer.body).map { ", \($0.code): \($0.message)" } ?? ""
                return noteFailure("its health is answered with \(answer.status)\(said)")
            }
            let said = try JSONDecoder().decode(NodeHealth.self, from: Data(answer.body.readableBytesView))
            noteRoundTrip(.now() - begin, connections: connections)
            status.withLock { status in
                status.said = said
                status.saidAt = .now()
            }
            if said.draining { noteFailure("draining") } else { noteSuccess() }
        } catch Failure.cancelled {
            return
        } catch Failure.full {
            // So many calls are under way there that it is plainly reachable.
            return
        } catch {
            noteFailure("\(error)")
        }
    }
}
