/// A pattern of the service model: the text AWS quotes in its error, and a matcher that decides the same language.
///
/// The matchers are loops over bytes: names are checked on every invocation, where a regular expression engine costs more
/// than the rest of the parsing.
public struct ConstraintPattern: Sendable {
    /// The regular expression as the service model spells it.
    public let text: String
    let matches: @Sendable (String) -> Bool

    public static let functionName = ConstraintPattern(
        text: #"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?"#
            + #"(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"#
    ) { FunctionNameParts($0) != nil }

    public static let qualifier = ConstraintPattern(text: #"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"#) {
        $0 == "$LATEST.PUBLISHED" || !$0.isEmpty && $0.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: "$") }
    }

    public static let role = ConstraintPattern(
        text: #"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"#
    ) { value in
        let parts = value.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", isPartition(parts[1]), parts[2] == "iam", parts[3].isEmpty,
            isAccount(parts[4]), parts[5].hasPrefix("role")
        else { return false }
        let path = parts[5].dropFirst(4)
        return !path.isEmpty && path.utf8.allSatisfy { isNameByte($0) || "+=,.@/".utf8.contains($0) }
    }

    public static let handler = ConstraintPattern(text: #"[^\s]+"#) {
        !$0.isEmpty && !$0.utf8.contains { $0 == 0x20 || (0x09...0x0D).contains($0) }
    }
}

/// `[a-zA-Z0-9-_]`
func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
    default: false
    }
}

/// `[a-zA-Z0-9-_]+`
func isName(_ text: some StringProtocol) -> Bool { !text.isEmpty && text.utf8.allSatisfy(isNameByte) }

/// `\d{12}`
func isAccount(_ text: some StringProtocol) -> Bool {
    text.utf8.count == 12 && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
}

/// `(aws[a-zA-Z-]*)?`
func isPartition(_ text: some StringProtocol) -> Bool {
    text.isEmpty
        || text.hasPrefix("aws")
            && text.utf8.allSatisfy { (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == UInt8(ascii: "-") }
}

/// `(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}`
func isRegion(_ text: some StringProtocol) -> Bool {
    func isLetters(_ part: some StringProtocol) -> Bool {
        !part.isEmpty && part.utf8.allSatisfy { (0x61...0x7A).contains($0) }
    }
    var parts = text.split(separator: "-", omittingEmptySubsequences: false)[...]
    if parts.first == "eusc" { parts.removeFirst() }
    guard let land = parts.popFirst(), land.utf8.count == 2, isLetters(land) else { return false }
    if parts.count == 3 {
        guard let kind = parts.popFirst(), kind == "gov" || kind.hasPrefix("iso") && kind.utf8.count <= 4 && isLetters(kind)
        else { return false }
    }
    guard parts.count == 2, let area = parts.popFirst(), let digit = parts.popFirst() else { return false }
    return isLetters(area) && digit.utf8.count == 1 && digit.utf8.allSatisfy { (0x30...0x39).contains($0) }
}
