import EngineCore
import NIOCore

/// The end of an answer: how the call went, and the region's record of it, as a document (``DocumentWriter``). What only the region's
/// record explains, such as what its decision saw, stays there.
struct ForwardedEnd {
    enum Outcome: String {
        case success
        case functionError = "function_error"
    }

    private enum Tag: UInt8, DocumentTag {
        case outcome = 1
        case logDropped, requestID, function, version, account, node, decision, reason, site, startLevel, arrival
        case recorded, endingParty, errorType, memoryLimit, memoryPeak, requestBytes, responseBytes, forwardedBy, hops
        case spans, capacity
    }

    private enum SpanTag: UInt8, DocumentTag {
        case decide = 1
        case wait, fetch, start, thaw, initialise, run, forward, total
    }

    private enum CapacityTag: UInt8, DocumentTag {
        case subPool = 1
        case instance, container, generation, branch, waitedFor, refusal, coldCause
        case affinitySource, affinityValue, affinityResult, affinityOverflow, affinityVoid
    }

    var outcome: Outcome
    var logDroppedByteCount: Int
    var record: InvocationRecord

    init(outcome: Outcome, logDroppedByteCount: Int, record: InvocationRecord) {
        self.outcome = outcome
        self.logDroppedByteCount = logDroppedByteCount
        self.record = record
    }

    // MARK: - Written

    func document() -> ByteBuffer {
        var document = DocumentWriter<Tag>(capacity: 1 << 10)
        document.add(.outcome, outcome.rawValue)
        document.add(.logDropped, logDroppedByteCount)
        document.add(.requestID, record.requestID.description)
        document.add(.function, record.functionARN)
        document.add(.version, record.version.description)
        document.add(.account, record.account.description)
        document.add(.node, record.node)
        document.add(.decision, record.decision.rawValue)
        document.add(.reason, record.reason.rawValue)
        document.add(.site, record.site)
        document.add(.startLevel, record.startLevel?.rawValue)
        document.add(.arrival, record.arrivalEpochSeconds)
        document.add(.recorded, record.outcome.rawValue)
        document.add(.endingParty, record.endingParty.rawValue)
        document.add(.errorType, record.errorType)
        document.add(.memoryLimit, record.memoryLimit.bytes)
        document.add(.memoryPeak, record.memoryPeak?.bytes)
        document.add(.requestBytes, record.requestByteCount)
        document.add(.responseBytes, record.responseByteCount)
        document.add(.forwardedBy, record.forwardedBy)
        document.add(.hops, record.hops)
        document.add(.spans, Self.document(record.spans))
        document.add(.capacity, record.capacity.map(Self.document))
        return document.buffer
    }

    /// Those that are not 0. A time that cannot be is none: no call fails for want of an explanation.
    private static func document(_ spans: InvocationRecord.Spans) -> DocumentWriter<SpanTag> {
        var document = DocumentWriter<SpanTag>(capacity: 128)
        func add(_ tag: SpanTag, _ time: Double) {
            if (0...DocumentReader<SpanTag>.fractionMax).contains(time), time != 0 { document.add(tag, time) }
        }
        add(.decide, spans.decide)
        add(.wait, spans.wait)
        add(.fetch, spans.fetch)
        add(.start, spans.start)
        add(.thaw, spans.thaw)
        add(.initialise, spans.initialise)
        add(.run, spans.run)
        add(.forward, spans.forward)
        add(.total, spans.total)
        return document
    }

    private static func document(_ capacity: InvocationRecord.Capacity) -> DocumentWriter<CapacityTag> {
        var document = DocumentWriter<CapacityTag>(capacity: 256)
        document.add(.subPool, capacity.subPool?.description)
        document.add(.instance, capacity.instance.map { Int(bitPattern: UInt($0)) })
        document.add(.container, capacity.container.map { Int(bitPattern: UInt($0)) })
        document.add(.generation, capacity.generation.map { Int(bitPattern: UInt($0)) })
        document.add(.branch, capacity.branch?.rawValue)
        document.add(.waitedFor, capacity.waitedFor?.rawValue)
        document.add(.refusal, capacity.refusal?.rawValue)
        document.add(.coldCause, capacity.coldCause?.rawValue)
        guard let affinity = capacity.affinity else { return document }
        document.add(.affinitySource, affinity.source.rawValue)
        document.add(.affinityValue, affinity.value)
        document.add(.affinityResult, affinity.result.rawValue)
        document.add(.affinityOverflow, affinity.isOverflow)
        document.add(.affinityVoid, affinity.tokenIsVoid)
        return document
    }

    // MARK: - Read

    /// - Throws: `invalidAnswer` naming what is missing or cannot be.
    init(document content: ByteBuffer) throws(ForwardingError) {
        let document = try DocumentReader<Tag>(content, .init(code: .invalidAnswer, subject: "The end of the region's answer"))
        outcome = try document.required(.outcome) { Outcome(rawValue: $0) }
        logDroppedByteCount = try document.required(.logDropped, try document.number(.logDropped, in: 0...Int.max))
        record = InvocationRecord(
            requestID: try document.required(.requestID) { RequestID($0) },
            functionARN: try document.required(.function, try document.text(.function)),
            version: try document.required(.version) { FunctionVersion($0) },
            account: try document.required(.account) { AccountID($0) },
            node: try document.required(.node, try document.text(.node)),
            decision: try document.required(.decision) { .init(rawValue: $0) },
            reason: try document.required(.reason) { .init(rawValue: $0) }, site: try document.text(.site),
            startLevel: try document.optional(.startLevel) { .init(rawValue: $0) },
            arrivalEpochSeconds: try document.required(.arrival, try document.fraction(.arrival)),
            outcome: try document.required(.recorded) { .init(rawValue: $0) },
            endingParty: try document.required(.endingParty) { .init(rawValue: $0) }, errorType: try document.text(.errorType),
            memoryLimit: ByteCount(try document.required(.memoryLimit, try document.number(.memoryLimit))),
            memoryPeak: try document.number(.memoryPeak).map { ByteCount($0) },
            requestByteCount: try document.required(.requestBytes, try document.number(.requestBytes)),
            responseByteCount: try document.required(.responseBytes, try document.number(.responseBytes)),
            forwardedBy: try document.text(.forwardedBy), hops: try document.required(.hops, try document.number(.hops)))
        if let spans = try document.document(.spans, as: SpanTag.self) { record.spans = try Self.spans(spans) }
        if let capacity = try document.document(.capacity, as: CapacityTag.self) { record.capacity = try Self.capacity(capacity) }
    }

    private static func spans(_ document: DocumentReader<SpanTag>) throws(ForwardingError) -> InvocationRecord.Spans {
        var spans = InvocationRecord.Spans()
        spans.decide = try document.fraction(.decide) ?? 0
        spans.wait = try document.fraction(.wait) ?? 0
        spans.fetch = try document.fraction(.fetch) ?? 0
        spans.start = try document.fraction(.start) ?? 0
        spans.thaw = try document.fraction(.thaw) ?? 0
        spans.initialise = try document.fraction(.initialise) ?? 0
        spans.run = try document.fraction(.run) ?? 0
        spans.forward = try document.fraction(.forward) ?? 0
        spans.total = try document.fraction(.total) ?? 0
        return spans
    }

    private static func capacity(_ document: DocumentReader<CapacityTag>) throws(ForwardingError) -> InvocationRecord.Capacity {
        func identifier(_ tag: CapacityTag) throws(ForwardingError) -> UInt64? {
            try document.number(tag).map { UInt64(UInt(bitPattern: $0)) }
        }
        var capacity = InvocationRecord.Capacity()
        capacity.subPool = try document.optional(.subPool) { SubPoolID($0) }
        capacity.instance = try identifier(.instance)
        capacity.container = try identifier(.container)
        capacity.generation = try identifier(.generation)
        capacity.branch = try document.optional(.branch) { .init(rawValue: $0) }
        capacity.waitedFor = try document.optional(.waitedFor) { .init(rawValue: $0) }
        capacity.refusal = try document.optional(.refusal) { .init(rawValue: $0) }
        capacity.coldCause = try document.optional(.coldCause) { .init(rawValue: $0) }
        guard let source = try document.optional(.affinitySource, { AffinityDemand.Source(rawValue: $0) }) else { return capacity }
        capacity.affinity = InvocationRecord.Affinity(
            source: source, value: try document.text(.affinityValue),
            result: try document.required(.affinityResult) { .init(rawValue: $0) },
            isOverflow: try document.flag(.affinityOverflow) ?? false, tokenIsVoid: try document.flag(.affinityVoid) ?? false)
        return capacity
    }
}
