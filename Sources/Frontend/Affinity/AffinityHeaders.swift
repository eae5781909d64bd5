import EngineCore
import HTTPTypes

/// What a caller says of the container and the time of an invocation, in headers of this engine's own.
///
/// | header | value |
/// | --- | --- |
/// | `Wayside-Container` | a token that an earlier answer carried: this container |
/// | `Wayside-Affinity` | the routing value, as it is: the container that served it before |
/// | `Wayside-Affinity-Mode` | `prefer` or `require`, instead of the rule's |
/// | `Wayside-Affinity-Busy` | `wait`, `overflow` or `reject`, instead of the rule's |
/// | `Wayside-Defer-Seconds` | 1 to 900: the call is not time-sensitive and may begin that much later |
///
/// Mode and busy policy say nothing about a call without a token and without a value.
struct AffinityHeaders: Sendable {
    /// The most that ``deferral`` can be, in seconds.
    static let deferSecondsMax = 900
    static let tokenBytesMax = 512

    private(set) var token: String?
    private(set) var value: String?
    private(set) var mode: AffinityDemand.Mode?
    private(set) var busy: AffinityDemand.Busy?
    private(set) var deferral: Duration?

    /// Whether a header may be one of these; the others are not looked at further.
    static func mayBe(_ name: HTTPField.Name) -> Bool { name.canonicalName.hasPrefix("wayside-") }

    /// Takes what a header says; others than these are passed over.
    /// - Throws: `InvalidParameterValueException` naming the header, for a value that cannot be and for a second one.
    mutating func take(_ field: HTTPField) throws(LambdaError) {
        let text = field.value
        switch field.name.canonicalName {
        case "wayside-container":
            let isSound = token == nil && (1...Self.tokenBytesMax).contains(text.utf8.count)
            try Self.check(isSound, field, "Send one token, as an answer had it.")
            token = text
        case "wayside-affinity":
            try Self.check(
                value == nil && (1...AffinityDemand.valueBytesMax).contains(text.utf8.count), field,
                "Send one routing value of 1 to \(AffinityDemand.valueBytesMax) bytes.")
            value = text
        case "wayside-affinity-mode":
            try Self.check(mode == nil && AffinityDemand.Mode(rawValue: text) != nil, field, "Send prefer or require.")
            mode = AffinityDemand.Mode(rawValue: text)
        case "wayside-affinity-busy":
            try Self.check(busy == nil && AffinityDemand.Busy(rawValue: text) != nil, field, "Send wait, overflow or reject.")
            busy = AffinityDemand.Busy(rawValue: text)
        case "wayside-defer-seconds":
            let seconds = Int(text).flatMap { (1...Self.deferSecondsMax).contains($0) && String($0) == text ? $0 : nil }
            try Self.check(deferral == nil && seconds != nil, field, "Send a number of seconds from 1 to \(Self.deferSecondsMax).")
            deferral = seconds.map { .seconds($0) }
        default: return
        }
    }

    private static func check(_ holds: Bool, _ field: HTTPField, _ instead: String) throws(LambdaError) {
        guard !holds else { return }
        throw LambdaError(.invalidParameterValue, "The header \(field.name.rawName) is not one that can be. \(instead)")
    }
}
