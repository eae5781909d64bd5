public import EngineCore
import Foundation
public import NIOCore

/// The answer to an invocation whose result is wanted while it is made: parts of a result ↔ sections (see ``ForwardWire``).
public enum StreamedAnswer {
    /// What a region knows when the first bytes come.
    private struct Head: Codable {
        var site: String?
        var startLevel: StartLevel?
        var contentType: String?
    }

    // MARK: - Sections

    /// The sections of the next part.
    ///
    /// - Parameter hasBegun: whether the head has been sent.
    /// - Throws: `invalidAnswer` when a part is larger than its limit.
    public static func sections(of part: ResultStream.Part, hasBegun: Bool) throws(ForwardingError) -> [ByteBuffer] {
        switch part {
        case .head(let head):
            return section(.head, try document(Head(site: head.site, startLevel: head.startLevel, contentType: head.contentType)))
        case .bytes(let bytes): return section(.payload, bytes)
        case .end(.failure(let error)): return section(.failure, ForwardedFailure(error).body)
        case .end(.success(let result)):
            guard hasBegun else { return try ForwardedAnswer(result).sections() }
            let closing = ForwardedAnswer(result).closing()
            guard case .functionError(let error) = result.outcome else { return closing }
            return section(.error, error) + closing
        }
    }

    private static func section(_ kind: ForwardedSection, _ content: ByteBuffer) -> [ByteBuffer] {
        [ForwardedSection.head(kind, content), content]
    }

    private static func document(_ head: Head) throws(ForwardingError) -> ByteBuffer {
        do {
            return ByteBuffer(bytes: try JSONEncoder().encode(head))
        } catch {
            throw ForwardingError(.invalidAnswer, "The head of the answer cannot be written: \(error).")
        }
    }

    // MARK: - Reading

    enum Event {
        case head(ResultStream.Head)
        /// The next bytes, in whatever portions they came.
        case bytes(ByteBuffer)
        /// Comes last.
        case whole(ForwardedAnswer)
        /// Comes last, instead.
        case failed(ForwardedFailure)
    }

    /// Reads sections as they come. Of what is streamed it keeps nothing, of the rest no more than its limit.
    ///
    ///     start ──head──► streaming ──payload…, error, log──► (the same) ──end, failure──► over
    ///       └──payload, log──► (collecting) ──end, failure──► over
    struct Reader {
        private var unread = ByteBuffer()
        private var section: (kind: ForwardedSection, left: Int)?
        private var isStreaming = false
        private var isOver = false
        private var payload = ByteBuffer()
        private var log = ByteBuffer()

        /// The memory of what has come and is not handed on.
        var heldCapacity: Int { unread.capacity }

        mutating func append(_ bytes: ByteBuffer) {
            guard unread.readableBytes > 0 else {
                unread = bytes
                return
            }
            // What has been read is not kept in front of what comes.
            unread.discardReadBytes()
            unread.writeImmutableBuffer(bytes)
        }

        /// - Returns: `nil` when more is needed.
        /// - Throws: `invalidAnswer`.
        mutating func next() throws(ForwardingError) -> Event? {
            while true {
                guard let (kind, left) = section else {
                    guard try readSectionHead() else { return nil }
                    continue
                }
                if kind == .payload, isStreaming {
                    guard left > 0 else {
                        section = nil
                        continue
                    }
                    guard let bytes = unread.readSlice(length: min(left, unread.readableBytes)), bytes.readableBytes > 0 else { return nil }
                    section = (kind, left - bytes.readableBytes)
                    return .bytes(bytes)
                }
                guard let content = unread.readSlice(length: left) else { return nil }
                section = nil
                if let event = try take(kind, content) { return event }
            }
        }

        private mutating func readSectionHead() throws(ForwardingError) -> Bool {
            guard unread.readableBytes >= ForwardedSection.headByteCount, let number = unread.readInteger(as: UInt8.self),
                let count = unread.readInteger(as: UInt32.self)
            else { return false }
            guard let kind = ForwardedSection(rawValue: number), kind != .call, !isOver else {
                throw ForwardedAnswer.invalid("has a section of kind \(number) where none may be")
            }
            let countMax =
                switch kind {
                case .payload: isStreaming ? Int(UInt32.max) : ForwardWire.payloadBytesMax
                case .error: ForwardWire.payloadBytesMax
                case .log: ForwardWire.logBytesMax
                case .head, .end, .failure, .call: ForwardWire.documentBytesMax
                }
            guard Int(count) <= countMax else { throw ForwardedAnswer.invalid("has a section larger than its limit") }
            section = (kind, Int(count))
            return true
        }

        private mutating func take(_ kind: ForwardedSection, _ content: ByteBuffer) throws(ForwardingError) -> Event? {
            switch kind {
            case .head:
                guard !isStreaming, payload.readableBytes == 0 else { throw ForwardedAnswer.invalid("has a head behind its beginning") }
                isStreaming = true
                return .head(try Self.head(content))
            case .payload, .error: try ForwardedAnswer.append(content, to: &payload, bytesMax: ForwardWire.payloadBytesMax)
            case .log: try ForwardedAnswer.append(content, to: &log, bytesMax: ForwardWire.logBytesMax)
            case .end:
                isOver = true
                return .whole(ForwardedAnswer(try ForwardedAnswer.result(end: content, payload: payload, log: log)))
            case .failure:
                isOver = true
                guard let failure = ForwardedFailure(status: 200, body: content) else {
                    throw ForwardedAnswer.invalid("has a failure that cannot be read")
                }
                return .failed(failure)
            case .call: throw ForwardedAnswer.invalid("has a section of a request")
            }
            return nil
        }

        private static func head(_ content: ByteBuffer) throws(ForwardingError) -> ResultStream.Head {
            let read: StreamedAnswer.Head
            do {
                read = try JSONDecoder().decode(StreamedAnswer.Head.self, from: Data(content.readableBytesView))
            } catch {
                throw ForwardedAnswer.invalid("has a head that cannot be read (\(error))")
            }
            var head = ResultStream.Head()
            (head.site, head.startLevel, head.contentType) = (read.site, read.startLevel, read.contentType)
            return head
        }
    }
}
