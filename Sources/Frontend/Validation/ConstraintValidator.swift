/// Collects the violations of a request's members and answers them in one `ValidationException`, as AWS's framework does:
/// `2 validation errors detected: Value 'V' at 'path' failed to satisfy constraint: Member must …; Value …`.
///
/// Paths are lower camel case, with dots (`snapStart.applyOn`). Members that are absent are not checked, except by `notNull`.
public struct ConstraintValidator: Sendable {
    private var violations: [String] = []

    public init() {}

    /// The length of a text in UTF-16 units, which is how AWS counts.
    public mutating func length(_ value: String?, at path: String, in range: ClosedRange<Int>) {
        guard let value else { return }
        count(value.utf16.count, of: "'\(value)'", at: path, noun: "length", in: range)
    }

    /// The number of elements of a list.
    public mutating func length(_ values: [String]?, at path: String, in range: ClosedRange<Int>) {
        guard let values else { return }
        count(values.count, of: "'[\(values.joined(separator: ", "))]'", at: path, noun: "length", in: range)
    }

    /// A number's bounds.
    public mutating func value(_ value: Int?, at path: String, in range: ClosedRange<Int>) {
        guard let value else { return }
        count(value, of: "'\(value)'", at: path, noun: "value", in: range)
    }

    public mutating func pattern(_ value: String?, at path: String, _ pattern: ConstraintPattern) {
        guard let value, !pattern.matches(value) else { return }
        fail("'\(value)'", at: path, "Member must satisfy regular expression pattern: \(pattern.text)")
    }

    public mutating func oneOf(_ value: String?, at path: String, _ allowed: [String]) {
        guard let value, !allowed.contains(value) else { return }
        fail("'\(value)'", at: path, "Member must satisfy enum value set: [\(allowed.joined(separator: ", "))]")
    }

    /// A list whose elements are of an enumeration.
    public mutating func eachOneOf(_ values: [String]?, at path: String, _ allowed: [String]) {
        guard let values, !values.allSatisfy(allowed.contains) else { return }
        let set = "[Member must satisfy enum value set: [\(allowed.joined(separator: ", "))], Member must not be null]"
        fail("'[\(values.joined(separator: ", "))]'", at: path, "Member must satisfy constraint: \(set)")
    }

    /// A map with keys that do not match a pattern.
    public mutating func mapKeys(_ map: [String: String], at path: String, _ pattern: String) {
        mapKeys(map, at: path, constraint: "Member must satisfy regular expression pattern: \(pattern)")
    }

    /// Tags, whose keys have 1 to 128 characters.
    mutating func tags(_ tags: [String: String]) {
        guard !tags.keys.allSatisfy({ (1...128).contains($0.utf16.count) }) else { return }
        mapKeys(
            tags, at: "tags",
            constraint: "Member must have length less than or equal to 128, Member must have length greater than or equal to 1")
    }

    private mutating func mapKeys(_ map: [String: String], at path: String, constraint: String) {
        let value = map.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
        fail(
            "'{\(value)}'", at: path,
            "Map keys must satisfy constraint: [\(constraint), Member must not be null]")
    }

    /// `Architectures`, which both CreateFunction and UpdateFunctionCode take.
    mutating func architectures(_ values: [String]?) {
        length(values, at: "architectures", in: 1...1)
        if values?.count == 1 { eachOneOf(values, at: "architectures", ["x86_64", "arm64"]) }
    }

    public mutating func notNull(_ value: (some Sendable)?, at path: String) {
        if value == nil { fail("null", at: path, "Member must not be null") }
    }

    /// - Throws: `ValidationException` naming every violation, in the order of the checks.
    public func finish() throws(LambdaError) {
        guard !violations.isEmpty else { return }
        let plural = violations.count == 1 ? "" : "s"
        throw LambdaError(
            .validation,
            "\(violations.count) validation error\(plural) detected: \(violations.joined(separator: "; "))")
    }

    private mutating func count(
        _ number: Int, of value: String, at path: String, noun: String, in range: ClosedRange<Int>
    ) {
        if number > range.upperBound {
            fail(value, at: path, "Member must have \(noun) less than or equal to \(range.upperBound)")
        } else if number < range.lowerBound {
            fail(value, at: path, "Member must have \(noun) greater than or equal to \(range.lowerBound)")
        }
    }

    private mutating func fail(_ value: String, at path: String, _ constraint: String) {
        violations.append("Value \(value) at '\(path)' failed to satisfy constraint: \(constraint)")
    }
}
