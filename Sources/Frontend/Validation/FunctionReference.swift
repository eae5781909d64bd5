public import EngineCore

/// A function as a path and the query parameter `Qualifier` name it.
///
/// Accepted are `name`, `name:qualifier`, the partial ARN `ACCOUNT:function:name[:qualifier]` and the full ARN.
public struct FunctionReference: Hashable, Sendable {
    /// The region an ARN names.
    public let region: String?
    /// The account an ARN names.
    public let account: AccountID?
    public let name: String
    /// From the name or from the query: `$LATEST`, a version or an alias.
    public let qualifier: String?

    /// - Parameters:
    ///   - text: the path component, percent-decoded.
    ///   - queryQualifier: the query parameter, percent-decoded.
    ///   - maximumLength: of the whole text, in UTF-16 units.
    /// - Throws: `ValidationException` for the pattern and the lengths, `InvalidParameterValueException` for a name over 64
    ///   characters and for two qualifiers that differ.
    public init(_ text: String, queryQualifier: String? = nil, maximumLength: Int = 140) throws(LambdaError) {
        let parts = FunctionNameParts(text)
        if parts == nil || text.utf16.count > maximumLength || queryQualifier != nil {
            var validator = ConstraintValidator()
            validator.pattern(text, at: "functionName", .functionName)
            validator.length(text, at: "functionName", in: 1...maximumLength)
            validator.pattern(queryQualifier, at: "qualifier", .qualifier)
            validator.length(queryQualifier, at: "qualifier", in: 1...128)
            try validator.finish()
        }
        guard let parts else { throw LambdaError(.validation, "The function name is not valid.") }
        guard parts.name.utf8.count <= 64 else {
            throw LambdaError(
                .invalidParameterValue,
                "1 validation error detected: Value '\(parts.name)' at 'functionName' failed to satisfy constraint: "
                    + "Member must have length less than or equal to 64")
        }
        if let own = parts.qualifier, let queryQualifier, own != queryQualifier { throw .qualifierMismatch }
        region = parts.region.map(String.init)
        account = parts.account.flatMap { AccountID($0) }
        name = String(parts.name)
        qualifier = queryQualifier ?? parts.qualifier.map(String.init)
    }

    /// The function meant by a caller of `account` in `region`.
    ///
    /// - Parameter action: the permission the operation needs, such as `lambda:GetFunction`; named in the refusal.
    /// - Throws: `ResourceNotFoundException` for another region, `AccessDeniedException` for another account.
    public func key(account own: AccountID, region here: String, action: String) throws(LambdaError) -> FunctionKey {
        if let region, region != here { throw .otherRegion(region, here: here) }
        let key = FunctionKey(account: account ?? own, region: here, name: name)
        guard key.account == own else {
            throw .accessDenied(caller: own, action: action, resource: key.arn(qualifier: qualifier))
        }
        return key
    }
}

/// The parts of a text that matches `ConstraintPattern.functionName`.
///
/// The pattern's optional prefixes are greedy, and every prefix is itself a legal name; so prefixes are consumed while
/// something follows, and the last is given back only if what follows is no name but `$LATEST`.
struct FunctionNameParts {
    var region: Substring?
    var account: Substring?
    let name: Substring
    let qualifier: Substring?

    /// - Returns: `nil` unless `text` matches the pattern.
    init?(_ text: String) {
        guard text.utf8.contains(UInt8(ascii: ":")) else {
            guard isName(text) else { return nil }
            name = text[...]
            qualifier = nil
            return
        }
        let all = text.split(separator: ":", omittingEmptySubsequences: false)
        guard all.count <= 8 else { return nil }
        var parts = all[...]
        if all.count > 3, all[0] == "arn", isPartition(all[1]), all[2] == "lambda" { parts = all[3...] }
        let start = parts.startIndex
        if parts.count > 1, isRegion(parts[parts.startIndex]) { region = parts.removeFirst() }
        if parts.count > 1, isAccount(parts[parts.startIndex]) { account = parts.removeFirst() }
        if parts.count > 1, parts[parts.startIndex] == "function" { parts.removeFirst() }
        if parts.count == 1, parts.first == "$LATEST", parts.startIndex > start {
            parts = all[(parts.startIndex - 1)...]
            if let first = parts.first, first == account { account = nil } else if parts.first == region { region = nil }
        }
        guard let first = parts.first, isName(first), parts.count <= 2 else { return nil }
        name = first
        qualifier = parts.count == 2 ? parts.last : nil
        if let qualifier { guard qualifier == "$LATEST" || isName(qualifier) else { return nil } }
    }
}
