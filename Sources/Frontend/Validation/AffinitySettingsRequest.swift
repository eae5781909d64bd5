import EngineCore
import FunctionCatalog

/// The member `Affinity` of the member `Wayside` of CreateFunction and UpdateFunctionConfiguration:
/// `{"Source": "header:X-User", "Patterns": ["image/*"], "Buckets": 64, "Mode": "prefer", "Busy": "wait", "WaitMilliseconds": 3000}`.
///
/// Only `Source` must be there. The rule replaces the one before as a whole; `null` takes it away; absent, it stays.
struct AffinitySettingsRequest: Sendable {
    private static let members = ["Source", "Patterns", "Buckets", "Mode", "Busy", "WaitMilliseconds"]

    private let rule: AffinityRule?
    /// Whether an existing rule is taken away.
    private let isCleared: Bool

    /// - Parameter wayside: the member `Wayside`; `nil` if it is absent.
    /// - Throws: `InvalidParameterValueException` that names the member.
    init(_ wayside: RequestObject?) throws(LambdaError) {
        isCleared = wayside?.isNull("Affinity") ?? false
        guard let wayside, wayside["Affinity"] != nil else {
            rule = nil
            return
        }
        guard let object = try? wayside.object("Affinity") else {
            throw Self.invalid(#"is not a structure. Give {"Source": "header:NAME"} or null."#)
        }
        if let unknown = object.names.first(where: { !Self.members.contains($0) }) {
            throw Self.invalid("has no member '\(unknown.prefix(100))'. It has \(Self.members.joined(separator: ", ")).")
        }
        rule = try Self.rule(object)
    }

    func apply(to settings: inout FunctionSettings) {
        if isCleared || rule != nil { settings.affinity = rule }
    }

    private static func rule(_ object: RequestObject) throws(LambdaError) -> AffinityRule {
        guard let text = try object.string("Source") else {
            throw invalid("has no Source. Give header:NAME, query:NAME, body:PATH or account.")
        }
        guard let source = AffinityRule.Source(text) else {
            throw invalid(
                "has the Source '\(text.prefix(200))'. Give header:NAME (none that holds secrets), query:NAME, body:PATH with at most "
                    + "\(AffinityRule.Source.pathDepthMax) parts, or account.")
        }
        var rule = AffinityRule(source: source)
        if let patterns = try object.strings("Patterns") { rule.patterns = try checked(patterns) }
        rule.buckets = try integer(object, "Buckets", in: 1...AffinityRule.bucketsMax)
        rule.mode = try choice(object, "Mode") ?? rule.mode
        rule.busy = try choice(object, "Busy") ?? rule.busy
        rule.waitMilliseconds =
            try integer(object, "WaitMilliseconds", in: 0...AffinityRule.waitMillisecondsMax) ?? rule.waitMilliseconds
        return rule
    }

    private static func checked(_ patterns: [String]) throws(LambdaError) -> [String] {
        guard patterns.count <= AffinityRule.patternsMax else {
            throw invalid("has \(patterns.count) Patterns; \(AffinityRule.patternsMax) are the most.")
        }
        if let pattern = patterns.first(where: { !(1...AffinityRule.patternBytesMax).contains($0.utf8.count) }) {
            throw invalid("has the pattern '\(pattern.prefix(200))'; one has 1 to \(AffinityRule.patternBytesMax) bytes.")
        }
        return patterns
    }

    private static func integer(_ object: RequestObject, _ name: String, in range: ClosedRange<Int>) throws(LambdaError) -> Int? {
        guard let number = try object.integer(name) else { return nil }
        guard range.contains(number) else {
            throw invalid("has \(name) \(number). Give \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ object: RequestObject, _ name: String
    ) throws(LambdaError) -> Choice? {
        guard let text = try object.string(name) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            throw invalid("has \(name) '\(text.prefix(100))'. Give \(Choice.allCases.map(\.rawValue).joined(separator: ", ")).")
        }
        return choice
    }

    private static func invalid(_ what: String) -> LambdaError { LambdaError(.invalidParameterValue, "Affinity of Wayside \(what)") }
}
