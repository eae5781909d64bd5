import EngineCore
import Foundation
import NIOCore

/// The end of an answer: how the call went, and the region's record of it.
///
/// Lines of `name value`, in UTF-8 and of any order; what a node does not know it passes over. A value's line ends and percent signs are
/// `%0A` and `%25`. Times are whole nanoseconds. It is not JSON because each forwarded call writes and reads one, and the general coder
/// took 15 % of a call's processor time at either end. What only the region's record explains, such as what its decision saw, stays there.
struct ForwardedEnd {
    enum Outcome: String {
        case success
        case functionError = "function_error"
    }

    var outcome: Outcome
    var logDroppedByteCount: Int
    var record: InvocationRecord

    // MARK: - Written

    func document() -> ByteBuffer {
        var lines = Lines()
        lines.add("outcome", outcome.rawValue)
        lines.add("logDropped", logDroppedByteCount)
        lines.add("requestID", record.requestID.description)
        lines.add("function", record.functionARN)
        lines.add("version", record.version.description)
        lines.add("account", record.account.description)
        lines.add("node", record.node)
        lines.add("decision", record.decision.rawValue)
        lines.add("reason", record.reason.rawValue)
        lines.add("site", record.site)
        lines.add("startLevel", record.startLevel?.rawValue)
        lines.add("arrival", Int(record.arrivalEpochSeconds * 1e9))
        lines.add("recorded", record.outcome.rawValue)
        lines.add("endingParty", record.endingParty.rawValue)
        lines.add("errorType", record.errorType)
        lines.add("memoryLimit", record.memoryLimit.bytes)
        lines.add("memoryPeak", record.memoryPeak?.bytes)
        lines.add("requestBytes", record.requestByteCount)
        lines.add("responseBytes", record.responseByteCount)
        lines.add("forwardedBy", record.forwardedBy)
        lines.add("hops", record.hops)
        for (name, span) in Self.spans where record.spans[keyPath: span] != 0 {
            lines.add(name, Int((record.spans[keyPath: span] * 1e6).rounded()))
        }
        if let capacity = record.capacity { add(capacity, to: &lines) }
        return lines.buffer
    }

    private func add(_ capacity: InvocationRecord.Capacity, to lines: inout Lines) {
        lines.add("capacity", 1)
        lines.add("subPool", capacity.subPool?.description)
        lines.add("instance", capacity.instance.map { Int(clamping: $0) })
        lines.add("container", capacity.container.map { Int(clamping: $0) })
        lines.add("generation", capacity.generation.map { String($0) })
        lines.add("branch", capacity.branch?.rawValue)
        lines.add("waitedFor", capacity.waitedFor?.rawValue)
        lines.add("refusal", capacity.refusal?.rawValue)
        lines.add("coldCause", capacity.coldCause?.rawValue)
        guard let affinity = capacity.affinity else { return }
        lines.add("affinitySource", affinity.source.rawValue)
        lines.add("affinityValue", affinity.value)
        lines.add("affinityResult", affinity.result.rawValue)
        lines.add("affinityOverflow", affinity.isOverflow ? 1 : 0)
        lines.add("affinityVoid", affinity.tokenIsVoid ? 1 : 0)
    }

    private static let spans: [(StaticString, any WritableKeyPath<InvocationRecord.Spans, Double> & Sendable)] = [
        ("decideTime", \.decide), ("waitTime", \.wait), ("fetchTime", \.fetch), ("startTime", \.start), ("thawTime", \.thaw),
        ("initialiseTime", \.initialise), ("runTime", \.run), ("forwardTime", \.forward), ("totalTime", \.total),
    ]

    private struct Lines {
        var buffer = ByteBuffer()

        init() { buffer.reserveCapacity(768) }

        mutating func add(_ name: StaticString, _ value: String?) {
            guard let value else { return }
            buffer.writeStaticString(name)
            buffer.writeInteger(UInt8(ascii: " "))
            if value.utf8.contains(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "%") }) {
                buffer.writeString(value.replacing("%", with: "%25").replacing("\n", with: "%0A"))
            } else {
                buffer.writeString(value)
            }
            buffer.writeInteger(UInt8(ascii: "\n"))
        }

        mutating func add(_ name: StaticString, _ value: Int?) { add(name, value.map { String($0) }) }
    }

    // MARK: - Read

    /// - Throws: `invalidAnswer` naming what is missing or cannot be.
    init(document: ByteBuffer) throws(ForwardingError) {
        let values = Values(document)
        outcome = try values.required("outcome") { Outcome(rawValue: $0) }
        logDroppedByteCount = max(0, try values.required("logDropped") { Int($0) })
        record = InvocationRecord(
            requestID: try values.required("requestID") { RequestID($0) }, functionARN: try values.required("function") { $0 },
            version: try values.required("version") { FunctionVersion($0) }, account: try values.required("account") { AccountID($0) },
            node: try values.required("node") { $0 }, decision: try values.required("decision") { .init(rawValue: $0) },
            reason: try values.required("reason") { .init(rawValue: $0) }, site: values["site"],
            startLevel: try values.optional("startLevel") { .init(rawValue: $0) },
            arrivalEpochSeconds: Double(try values.required("arrival") { Int($0) }) / 1e9,
            outcome: try values.required("recorded") { .init(rawValue: $0) },
            endingParty: try values.required("endingParty") { .init(rawValue: $0) }, errorType: values["errorType"],
            memoryLimit: ByteCount(try values.required("memoryLimit") { Int($0) }),
            memoryPeak: try values.optional("memoryPeak") { Int($0).map { ByteCount($0) } },
            requestByteCount: try values.required("requestBytes") { Int($0) },
            responseByteCount: try values.required("responseBytes") { Int($0) }, forwardedBy: values["forwardedBy"],
            hops: try values.required("hops") { Int($0) })
        for (name, span) in Self.spans {
            let time = try values.optional(name.description) { Int($0) }
            if let time { record.spans[keyPath: span] = Double(time) / 1e6 }
        }
        if values["capacity"] != nil { record.capacity = try Self.capacity(values) }
    }

    init(outcome: Outcome, logDroppedByteCount: Int, record: InvocationRecord) {
        self.outcome = outcome
        self.logDroppedByteCount = logDroppedByteCount
        self.record = record
    }

    private static func capacity(_ values: Values) throws(ForwardingError) -> InvocationRecord.Capacity {
        var capacity = InvocationRecord.Capacity()
        capacity.subPool = try values.optional("subPool") { SubPoolID($0) }
        capacity.instance = try values.optional("instance") { UInt64($0) }
        capacity.container = try values.optional("container") { UInt64($0) }
        capacity.generation = try values.optional("generation") { UInt64($0) }
        capacity.branch = try values.optional("branch") { .init(rawValue: $0) }
        capacity.waitedFor = try values.optional("waitedFor") { .init(rawValue: $0) }
        capacity.refusal = try values.optional("refusal") { .init(rawValue: $0) }
        capacity.coldCause = try values.optional("coldCause") { .init(rawValue: $0) }
        guard values["affinitySource"] != nil else { return capacity }
        capacity.affinity = InvocationRecord.Affinity(
            source: try values.required("affinitySource") { .init(rawValue: $0) }, value: values["affinityValue"],
            result: try values.required("affinityResult") { .init(rawValue: $0) },
            isOverflow: values["affinityOverflow"] == "1", tokenIsVoid: values["affinityVoid"] == "1")
        return capacity
    }

    private struct Values {
        private var texts: [String: String] = [:]

        init(_ document: ByteBuffer) {
            texts.reserveCapacity(48)
            for line in document.readableBytesView.split(separator: UInt8(ascii: "\n")) {
                guard let space = line.firstIndex(of: UInt8(ascii: " ")) else { continue }
                let value = line[line.index(after: space)...]
                var text = String(decoding: value, as: UTF8.self)
                if value.contains(UInt8(ascii: "%")) { text = text.replacing("%0A", with: "\n").replacing("%25", with: "%") }
                texts[String(decoding: line[..<space], as: UTF8.self)] = text
            }
        }

        subscript(name: String) -> String? { texts[name] }

        func required<Value>(_ name: String, _ parse: (String) -> Value?) throws(ForwardingError) -> Value {
            guard let value = try optional(name, parse) else { throw Self.invalid("lacks \(name)") }
            return value
        }

        func optional<Value>(_ name: String, _ parse: (String) -> Value?) throws(ForwardingError) -> Value? {
            guard let text = texts[name] else { return nil }
            guard let value = parse(text) else { throw Self.invalid("has a \(name) that cannot be") }
            return value
        }

        private static func invalid(_ what: String) -> ForwardingError {
            ForwardingError(.invalidAnswer, "The end of the region's answer \(what).")
        }
    }
}
