/// The path and the query of a request, as they came on the wire.
struct RequestTarget: Hashable, Sendable {
    let path: Substring
    let query: Substring

    init(_ target: String) {
        if let question = target.utf8.firstIndex(of: UInt8(ascii: "?")) {
            path = target[..<question]
            query = target[target.utf8.index(after: question)...]
        } else {
            path = target[...]
            query = ""
        }
    }

    /// The first parameter of this name, decoded; `nil` when there is none.
    func parameter(_ name: String) -> String? {
        guard !query.isEmpty else { return nil }
        for pair in query.split(separator: "&") {
            let equals = pair.utf8.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard PercentEncoding.decode(pair[..<equals]) == name else { continue }
            return equals == pair.endIndex ? "" : PercentEncoding.decode(pair[pair.utf8.index(after: equals)...])
        }
        return nil
    }
}
