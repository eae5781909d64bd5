internal import EngineCore
internal import NIOCore
internal import NIOEmbedded
internal import Synchronization

/// Bytes of a function's own program into the real ``RuntimeAPIServer``, over two connections.
///
/// An input is a list of steps: one byte that says what happens (its lowest bit: on which connection), two bytes of length, the bytes.
func fuzzRuntimeAPI(_ bytes: UnsafeRawBufferPointer) {
    let conversation = RuntimeConversation()
    var source = Source(bytes)
    for _ in 0..<64 where !source.isEmpty {
        let step = source.byte()
        let content = source.bytes()
        switch step >> 1 & 7 {
        case 0...3: conversation.receive(content, on: Int(step & 1))
        case 4, 5: conversation.invoke(clientContext: String(decoding: content, as: UTF8.self))
        case 6: conversation.disconnect(Int(step & 1))
        default: conversation.endProcess()
        }
    }
    conversation.finish()
}

/// What the server has said so far; it knows what may be said when.
private final class Ear: Sendable {
    struct Heard {
        var isReady = false
        var hasFailed = false
        var isClosed = false
        /// A call that has no answer yet.
        var isCalling = false
        /// Its result comes in parts.
        var isStreaming = false
    }

    let heard = Mutex(Heard())

    func hear(_ event: RuntimeEvent) {
        heard.withLock { heard in
            check(!heard.isClosed, "an event after the last one")
            switch event {
            case .booted: check(false, "a program of the bundle never boots by itself")
            case .ready:
                check(!heard.isReady && !heard.hasFailed, "ready twice, or after a failure")
                heard.isReady = true
            case .initialisationFailed:
                check(!heard.isReady && !heard.hasFailed, "a failed start after a start")
                heard.hasFailed = true
            case .answered(let outcome, let type, _):
                check(heard.isCalling && heard.isReady, "an answer to no call")
                check(outcome.payload.readableBytes <= RuntimeLimits.responseMax, "an answer over the limit")
                check((type?.utf8.count ?? 0) <= 1 << 16, "an error type without limit")
                heard.isCalling = false
                heard.isStreaming = false
            case .streaming:
                check(heard.isCalling && heard.isReady && !heard.isStreaming, "a stream of no call, or begun twice")
                heard.isStreaming = true
            case .part(let bytes):
                check(heard.isCalling && heard.isStreaming, "a part of no stream")
                check(bytes.readableBytes > 0, "a part of nothing")
            case .failed:
                check(heard.isCalling && heard.isReady, "a failure of no call")
                heard.isCalling = false
                heard.isStreaming = false
            case .closed: heard.isClosed = true
            }
        }
    }
}

/// The engine's side and the program's.
private final class RuntimeConversation {
    /// Known to the seeds.
    static let requestID = "11111111-2222-4333-8444-555555555555"

    private let ear: Ear
    private let loop = EmbeddedEventLoop()
    private let server: RuntimeAPIServer
    private var connections: [EmbeddedChannel?] = [nil, nil]
    private var isEnding = false

    init() {
        let ear = Ear()
        self.ear = ear
        server = RuntimeAPIServer(on: loop) { ear.hear($0) }
    }

    func receive(_ bytes: [UInt8], on number: Int) {
        guard let channel = connection(number) else { return }
        // What is no HTTP ends the connection by itself.
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
        readAnswers(channel)
    }

    func invoke(clientContext: String) {
        let isFree = ear.heard.withLock { heard in
            guard !heard.isCalling, !heard.hasFailed, !heard.isClosed else { return false }
            heard.isCalling = true
            return true
        }
        guard isFree else { return }
        server.invoke(Self.request(clientContext), deadline: 1)
        for channel in connections.compactMap({ $0 }) { readAnswers(channel) }
    }

    func disconnect(_ number: Int) {
        guard let channel = connections[number] else { return }
        connections[number] = nil
        // Not `finish`, which ends the loop with the channel.
        channel.close(promise: nil)
        loop.run()
    }

    func endProcess() {
        guard !isEnding else { return }
        isEnding = true
        server.processEnded()
    }

    func finish() {
        endProcess()
        loop.advanceTime(by: .seconds(1))
        check(ear.heard.withLock { $0.isClosed }, "the end of the process is not reported")
        for number in 0...1 { disconnect(number) }
    }

    /// Connects when it is needed; not once the process has ended.
    private func connection(_ number: Int) -> EmbeddedChannel? {
        if let channel = connections[number] { return channel }
        guard !isEnding, !ear.heard.withLock({ $0.isClosed }) else { return nil }
        let channel = EmbeddedChannel(loop: loop)
        guard (try? server.admit(channel)) != nil, let address = try? SocketAddress(unixDomainSocketPath: "/fuzz") else {
            return nil
        }
        channel.connect(to: address, promise: nil)
        connections[number] = channel
        return channel
    }

    /// Every answer is a head of its own and a body of the length it names: nothing a caller sent can begin another line.
    private func readAnswers(_ channel: EmbeddedChannel) {
        var answers = ByteBuffer()
        while let part = try? channel.readOutbound(as: ByteBuffer.self) { answers.writeImmutableBuffer(part) }
        while answers.readableBytes > 0 {
            let view = answers.readableBytesView
            let separator = Array("\r\n\r\n".utf8)
            guard let end = view.indices.first(where: { view[$0...].starts(with: separator) }) else {
                return check(false, "an answer without a head")
            }
            let lines = String(decoding: view[..<end], as: UTF8.self).components("\r\n")
            check(lines.allSatisfy { $0.utf8.allSatisfy { $0 >= 0x20 } }, "a line within a line: \(lines)")
            check(lines[0].hasPrefix("HTTP/1.1 "), "an answer that is no HTTP: \(lines[0])")
            let names = lines.dropFirst().map { String($0.prefix { $0 != ":" }) }
            check(Set(names).isSubset(of: Self.headers) && Set(names).count == names.count, "headers nobody wrote: \(names)")
            let length = lines.first { $0.hasPrefix("Content-Length: ") }.flatMap { Int($0.dropFirst(16)) }
            check(length != nil || lines[0].hasPrefix("HTTP/1.1 100 "), "an answer without a length")
            answers.moveReaderIndex(to: end + 4)
            check(answers.readableBytes >= length ?? 0, "an answer shorter than it says")
            answers.moveReaderIndex(forwardBy: length ?? 0)
        }
    }

    private static let headers: Set<String> = [
        "Content-Type", "Content-Length", "Connection", "Lambda-Runtime-Aws-Request-Id", "Lambda-Runtime-Deadline-Ms",
        "Lambda-Runtime-Invoked-Function-Arn", "Lambda-Runtime-Trace-Id", "Lambda-Runtime-Client-Context",
    ]

    private static let function: PinnedVersion = {
        guard let account = AccountID("123456789012"), let digest = ContentDigest(hex: String(repeating: "0", count: 64)) else {
            fatalError("the sample is no function")
        }
        return PinnedVersion(
            key: FunctionKey(account: account, region: "eu-central-1", name: "f"), version: .latest, revision: "r",
            runtime: "provided.al2023", handler: "", memory: .mebibytes(128), temporaryStorage: .mebibytes(512),
            timeout: .seconds(3),
            environment: [:], codeDigest: digest, codeSize: .mebibytes(1))
    }()

    private static func request(_ clientContext: String) -> InvocationRequest {
        guard let id = RequestID(requestID) else { fatalError("the sample is no request id") }
        return InvocationRequest(
            id: id, function: function, invokedARN: "arn", payload: ByteBuffer(string: "{}"), clientContext: clientContext,
            traceID: "Root=1", arrival: .now(), deadline: .now(), origin: .client)
    }
}

extension String {
    /// Cut at bytes: to a `Character`, CR LF is one letter.
    fileprivate func components(_ separator: String) -> [String] {
        var parts: [String] = []
        var rest = utf8[...]
        while let end = rest.indices.first(where: { rest[$0...].starts(with: separator.utf8) }) {
            parts.append(String(Substring(rest[..<end])))
            rest = rest[end...].dropFirst(separator.utf8.count)
        }
        return parts + [String(Substring(rest))]
    }
}
