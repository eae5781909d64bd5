internal import EngineCore
internal import NIOCore
internal import Synchronization

// A result that is streamed, on its way through its container. On the event loop.
//
//     runtime ──part──► the call's stream ──► its reader
//        ▲                     │ stop                       no more is read from the runtime, whose writes then wait
//        └──(read again)───────┘ resume
//
// A call that wants its result whole gets it whole: the parts are collected, as far as a result may be long.
extension SandboxContainer {
    func streaming(contentType: String?) {
        let call = state.withLock { state -> ContainerCall? in
            guard let call = state.phase.call else { return nil }
            if call.request.results == nil { state.collected = ByteBuffer() }
            return call
        }
        call?.request.results?.begin(contentType: contentType)
    }

    func streamed(_ bytes: ByteBuffer) {
        let (call, channel, isTooLong) = state.withLock { state -> (ContainerCall?, (any RuntimeChannel)?, Bool) in
            let count = (state.collected?.readableBytes ?? 0) + bytes.readableBytes
            guard state.collected != nil, count <= RuntimeLimits.responseMax else {
                return (state.phase.call, state.channel, state.collected != nil)
            }
            state.collected?.writeImmutableBuffer(bytes)
            return (nil, nil, false)
        }
        guard let call else { return }
        guard !isTooLong else { return stopStreaming(call, limit: RuntimeLimits.responseMax) }
        guard let results = call.request.results else { return }
        let id = call.request.id
        let resume: @Sendable () -> Void = { [weak self] in
            guard let self else { return }
            self.eventLoop.execute { self.resumeStreaming(id) }
        }
        switch results.write(bytes, resume: resume) {
        // Whose reader has gone is about to be aborted.
        case .goOn, .unread: break
        case .stop: channel?.pause()
        case .tooLong: stopStreaming(call, limit: results.bytesMax ?? 0)
        }
    }

    /// There is no other way to stop a runtime than to end it.
    private func stopStreaming(_ call: ContainerCall, limit: Int) {
        answered(CallVerdict(.responseTooLarge(limit: limit), .function), isReusable: false)
    }

    /// The call's reader has made room. Its container may have another call by now, whose matter this is not.
    private func resumeStreaming(_ request: RequestID) {
        let channel = state.withLock { $0.phase.call?.request.id == request ? $0.channel : nil }
        channel?.resume()
    }
}
