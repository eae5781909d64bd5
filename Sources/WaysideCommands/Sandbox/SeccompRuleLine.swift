/// One line of a report's section `seccomp`: `allow|refuse NAME [CONDITION, …] REASON`, a condition being `WORD(…)`.
struct SeccompRuleLine {
    let isAllowed: Bool
    let name: String
    /// Empty when the rule holds for all arguments.
    let conditions: String
    let reason: String

    /// - Returns: `nil` for a line of another form. O(line).
    init?(_ line: String) {
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count == 3, words[0] == "allow" || words[0] == "refuse" else { return nil }
        isAllowed = words[0] == "allow"
        name = String(words[1])
        var conditions: [Substring] = []
        var rest = words[2]
        while let end = Self.endOfCondition(rest) {
            conditions.append(rest[..<end])
            rest = rest[end...].drop { $0 == "," || $0 == " " }
        }
        self.conditions = conditions.joined(separator: ", ")
        reason = String(rest)
    }

    /// Where a condition ends that `text` begins with; a reason is a sentence and begins otherwise.
    private static func endOfCondition(_ text: Substring) -> Substring.Index? {
        let word = text.prefix { $0.isUppercase || $0 == "_" }
        guard word.count > 1, text[word.endIndex...].first == "(" else { return nil }
        return text.firstIndex(of: ")").map { text.index(after: $0) }
    }
}
