// Why the sender forwards the call, for the record of the region: a document within the call's. What is not known is left out, and what
// was tried is a text of a node for each comma, `node:stage:code`, the last eight. It explains a call, and nothing depends on it.

import EngineCore

extension ForwardOrigin {
    enum Tag: UInt8, DocumentTag {
        case elapsed = 1
        case policy, callsPerHalfLife, timesSeen, gain, isFrequent, latency, coldStart, roundTrip, runHere, runThere
        case memory, freeMemory, freeSlots, isCodeHere, price, startsBehind
        case choiceBasis, choiceRegions, choiceRoundTrip, choiceQueueing, choiceStart
        case tries
    }

    /// Of more tries the last ones are told.
    static let triesMax = 8
    private static let triesBytesMax = 2 << 10

    var document: DocumentWriter<Tag> {
        var document = DocumentWriter<Tag>(capacity: 512)
        document.add(.elapsed, elapsed)
        if let basis = placement {
            document.add(.policy, basis.policy.rawValue)
            document.add(.callsPerHalfLife, basis.callsPerHalfLife)
            document.add(.timesSeen, basis.timesSeen)
            document.add(.gain, basis.gain)
            document.add(.isFrequent, basis.isFrequent)
            document.add(.latency, basis.latency.rawValue)
            document.add(.coldStart, basis.coldStart)
            document.add(.roundTrip, basis.roundTrip)
            document.add(.runHere, basis.runHere)
            document.add(.runThere, basis.runThere)
            document.add(.memory, basis.memory.bytes)
            document.add(.freeMemory, basis.freeMemory.bytes)
            document.add(.freeSlots, basis.freeSlots)
            document.add(.isCodeHere, basis.isCodeHere)
            document.add(.price, basis.price)
            document.add(.startsBehind, basis.startsBehind)
        }
        if let choice {
            document.add(.choiceBasis, choice.basis.rawValue)
            document.add(.choiceRegions, choice.regionCount)
            document.add(.choiceRoundTrip, choice.roundTrip)
            document.add(.choiceQueueing, choice.queueing)
            document.add(.choiceStart, choice.start)
        }
        if !tries.isEmpty {
            let tried = tries.suffix(Self.triesMax).map { "\($0.node):\($0.stage.rawValue):\($0.code.rawValue)" }
            document.add(.tries, tried.joined(separator: ","))
        }
        return document
    }

    /// - Parameter reason: the call's.
    init(_ document: DocumentReader<Tag>, reason: DecisionReason) throws(ForwardingError) {
        self.init(
            reason: reason, elapsed: try document.required(.elapsed, try document.fraction(.elapsed)),
            placement: try PlacementBasis(document), choice: try Choice(document))
        let tried = try document.text(.tries, bytesMax: Self.triesBytesMax) ?? ""
        tries = try document.required(.tries, Self.attempts(tried))
    }

    private static func attempts(_ text: String) -> [Attempt]? {
        let parts = text.split(separator: ",")
        let attempts = parts.prefix(triesMax).compactMap { Attempt(text: $0) }
        return attempts.count == parts.count ? attempts : nil
    }
}

extension PlacementBasis {
    /// - Returns: `nil` when the sender does not say.
    fileprivate init?(_ document: DocumentReader<ForwardOrigin.Tag>) throws(ForwardingError) {
        guard let policy = try document.optional(.policy, { Policy(rawValue: $0) }) else { return nil }
        self.init(
            policy: policy, callsPerHalfLife: try document.fraction(.callsPerHalfLife), timesSeen: try document.number(.timesSeen),
            gain: try document.fraction(.gain, in: -1e12...1e12), isFrequent: try document.flag(.isFrequent) ?? false,
            latency: try document.required(.latency) { PlacementRule.Latency(rawValue: $0) },
            coldStart: try document.fraction(.coldStart), roundTrip: try document.fraction(.roundTrip),
            runHere: try document.fraction(.runHere), runThere: try document.fraction(.runThere),
            memory: ByteCount(try document.required(.memory, try document.number(.memory, in: 0...Int.max))),
            freeMemory: ByteCount(try document.required(.freeMemory, try document.number(.freeMemory, in: 0...Int.max))),
            freeSlots: try document.required(.freeSlots, try document.number(.freeSlots, in: 0...Int.max)),
            isCodeHere: try document.flag(.isCodeHere) ?? false, price: try document.fraction(.price),
            startsBehind: try document.flag(.startsBehind) ?? false)
    }
}

extension ForwardOrigin.Choice {
    /// - Returns: `nil` when there was nothing to choose.
    fileprivate init?(_ document: DocumentReader<ForwardOrigin.Tag>) throws(ForwardingError) {
        guard let basis = try document.optional(.choiceBasis, { RegionBasis(rawValue: $0) }) else { return nil }
        self.init(
            basis: basis, regionCount: try document.required(.choiceRegions, try document.number(.choiceRegions, in: 0...Int.max)),
            roundTrip: try document.required(.choiceRoundTrip, try document.fraction(.choiceRoundTrip)),
            queueing: try document.required(.choiceQueueing, try document.fraction(.choiceQueueing)),
            start: try document.required(.choiceStart, try document.fraction(.choiceStart)))
    }
}

extension ForwardOrigin.Attempt {
    fileprivate init?(text: Substring) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, NodeName.isValid(parts[0]), let stage = ForwardStage(rawValue: parts[1]),
            let code = InvocationError.Code(rawValue: parts[2])
        else { return nil }
        self.init(node: parts[0], stage: stage, code: code)
    }
}
