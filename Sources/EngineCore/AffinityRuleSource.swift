/// The written form of a rule's source: how owners give it, how it is stored, and how it is shown.
extension AffinityRule.Source: CustomStringConvertible {
    /// Bytes of a header's or query item's name, or of a path.
    public static let nameBytesMax = 128
    /// Names and numbers in a path.
    public static let pathDepthMax = 8

    /// Headers that hold secrets: a routing value is shown in records and to the operator.
    static let secretHeaders: Set<String> = ["authorization", "cookie", "proxy-authorization", "x-amz-security-token"]

    public var description: String {
        switch self {
        case .header(let name): "header:\(name)"
        case .query(let name): "query:\(name)"
        case .body(let path): "body:\(path)"
        case .account: "account"
        }
    }

    /// - Returns: `nil` unless `text` is of the written form, with a name or path that can be: one that is not empty, of at most
    ///   ``nameBytesMax`` bytes, a header's a token (RFC 9110, section 5.6.2) and none that holds secrets, a path of at most
    ///   ``pathDepthMax`` parts, none empty.
    public init?(_ text: String) {
        if text == "account" {
            self = .account
            return
        }
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let name = text[text.index(after: colon)...]
        guard (1...Self.nameBytesMax).contains(name.utf8.count) else { return nil }
        switch text[..<colon] {
        case "header":
            let lower = name.lowercased()
            guard lower.utf8.allSatisfy(Self.isTokenByte), !Self.secretHeaders.contains(lower) else { return nil }
            self = .header(lower)
        case "query": self = .query(String(name))
        case "body":
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count <= Self.pathDepthMax, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
            self = .body(String(name))
        default: return nil
        }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = AffinityRule.Source(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not the source of a routing value: \(text)")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
