// The value of wayside-decision: why the sender forwards the call, for the record of the region.
//
//     1 elapsed=0.412 policy=market calls=1.5 frequent=0 latency=normal cold=210.5 way=41.2 here=5.1 there=4.2 memory=134217728
//       free=1073741824 slots=12 code=1 price=1.2e-07 behind=0 choice=warmth:3:41.2:0:3.1 tried=region-1:before_send:overloaded,…
//
// The version of this form, then name=value between single spaces (one line; broken here to be read). Times are milliseconds,
// memory is bytes, 1 and 0 are yes and no. From `policy` to `behind` it is a PlacementBasis; `choice` is basis, regions, round trip,
// queueing, start; `tried` has one node for each comma. What is not known is left out. A name that the reader does not know, it
// passes over; a value that it cannot read, or another version, it takes as if the field were absent: it explains a call, and no
// call fails for want of an explanation.

import EngineCore

extension ForwardOrigin {
    static let fieldVersion = "1"
    /// The longest value that is sent or read. Eight tries and all numbers at their longest are shorter.
    static let fieldBytesMax = 2 << 10
    /// Of more tries the last ones are told.
    static let fieldTriesMax = 8

    /// O(its length).
    var fieldValue: String {
        var text = "\(Self.fieldVersion) elapsed=\(Self.short(elapsed))"
        func add(_ name: String, _ value: String?) {
            if let value { text += " \(name)=\(value)" }
        }
        if let basis = placement {
            add("policy", basis.policy.rawValue)
            add("calls", basis.callsPerHalfLife.map(Self.short))
            add("seen", basis.timesSeen.map { String($0) })
            add("gain", basis.gain.map(Self.short))
            add("frequent", basis.isFrequent ? "1" : "0")
            add("latency", basis.latency.rawValue)
            add("cold", basis.coldStart.map(Self.short))
            add("way", basis.roundTrip.map(Self.short))
            add("here", basis.runHere.map(Self.short))
            add("there", basis.runThere.map(Self.short))
            add("memory", String(basis.memory.bytes))
            add("free", String(basis.freeMemory.bytes))
            add("slots", String(basis.freeSlots))
            add("code", basis.isCodeHere ? "1" : "0")
            add("price", basis.price.map { String($0) })
            add("behind", basis.startsBehind ? "1" : "0")
        }
        if let choice {
            let parts = [choice.roundTrip, choice.queueing, choice.start].map(Self.short).joined(separator: ":")
            add("choice", "\(choice.basis.rawValue):\(choice.regionCount):\(parts)")
        }
        if !tries.isEmpty {
            let tried = tries.suffix(Self.fieldTriesMax).map { "\($0.node):\($0.stage.rawValue):\($0.code.rawValue)" }
            add("tried", tried.joined(separator: ","))
        }
        return text
    }

    /// - Parameter reason: it has a field of its own.
    /// - Returns: `nil` for what no node of this version writes.
    init?(fieldValue text: String, reason: DecisionReason) {
        guard text.utf8.count <= Self.fieldBytesMax else { return nil }
        let words = text.split(separator: " ")
        guard words.first.map(String.init) == Self.fieldVersion else { return nil }
        var values: [Substring: Substring] = [:]
        for word in words.dropFirst() {
            guard let equals = word.firstIndex(of: "=") else { return nil }
            values[word[..<equals]] = word[word.index(after: equals)...]
        }
        guard let elapsed = values["elapsed"].flatMap(Self.number) else { return nil }
        self.init(
            reason: reason, elapsed: elapsed, placement: PlacementBasis(values), choice: values["choice"].flatMap(Choice.init(field:)))
        for attempt in values["tried"]?.split(separator: ",") ?? [] {
            guard let attempt = Attempt(field: attempt), tries.count < Self.fieldTriesMax else { return nil }
            tries.append(attempt)
        }
    }

    /// To the microsecond.
    private static func short(_ milliseconds: Double) -> String { String((milliseconds * 1000).rounded() / 1000) }

    fileprivate static func number(_ text: Substring) -> Double? {
        Double(text).flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
    }
}

extension PlacementBasis {
    /// - Parameter values: by name.
    fileprivate init?(_ values: [Substring: Substring]) {
        func whole(_ name: Substring) -> Int? { values[name].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil } }
        func number(_ name: Substring) -> Double? { values[name].flatMap(ForwardOrigin.number) }
        guard let policy = values["policy"].flatMap({ Policy(rawValue: String($0)) }),
            let latency = values["latency"].flatMap({ PlacementRule.Latency(rawValue: String($0)) }),
            let memory = whole("memory"), let free = whole("free"), let slots = whole("slots")
        else { return nil }
        self.init(
            policy: policy, callsPerHalfLife: number("calls"), timesSeen: whole("seen"),
            gain: values["gain"].flatMap { Double($0) }.flatMap { $0.isFinite ? $0 : nil }, isFrequent: values["frequent"] == "1",
            latency: latency, coldStart: number("cold"), roundTrip: number("way"), runHere: number("here"), runThere: number("there"),
            memory: ByteCount(memory), freeMemory: ByteCount(free), freeSlots: slots, isCodeHere: values["code"] == "1",
            price: number("price"), startsBehind: values["behind"] == "1")
    }
}

extension ForwardOrigin.Choice {
    fileprivate init?(field text: Substring) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 5, let basis = RegionBasis(rawValue: String(parts[0])), let count = Int(parts[1]), count >= 0,
            let roundTrip = ForwardOrigin.number(parts[2]), let queueing = ForwardOrigin.number(parts[3]),
            let start = ForwardOrigin.number(parts[4])
        else { return nil }
        self.init(basis: basis, regionCount: count, roundTrip: roundTrip, queueing: queueing, start: start)
    }
}

extension ForwardOrigin.Attempt {
    fileprivate init?(field text: Substring) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, NodeName.isValid(parts[0]), let stage = ForwardStage(rawValue: parts[1]),
            let code = InvocationError.Code(rawValue: parts[2])
        else { return nil }
        self.init(node: parts[0], stage: stage, code: code)
    }
}
