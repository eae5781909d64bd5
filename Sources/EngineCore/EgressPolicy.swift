/// Where a function may connect to, as an allow-list.
///
/// Each entry is a destination and ports:
///
///     api.example.com:443        that name
///     *.example.com:8000-8100    its subdomains, at any depth, but not example.com itself
///     10.0.0.0/8:5432            every address of a network
///     192.0.2.7                  that address; without ports, 80 and 443 are meant
///     [2001:db8::]/32:443        IPv6 stands in brackets, the prefix behind them
///     [2001:db8::7]:443
///
/// Names and addresses are two lists. What the function asks for by name must be listed by name: a name that is not is never even looked
/// up, for a look-up can carry data out as well. What a listed name resolves to must be an ordinary address of the internet, or be
/// listed as an address too (DNS rebinding; ``SpecialAddressRange``). A network lists a special range only from within it:
/// `10.0.0.0/8` opens the private network 10, and `0.0.0.0/0` nothing but the internet.
///
/// Names are compared in lower case and without the dot at their end. They are never compared with addresses.
public struct EgressPolicy: Hashable, Sendable {
    /// Most entries of one list.
    public static let entriesMax = 64
    /// Most characters of a name (RFC 1035, section 2.3.4, without the dot at the end).
    public static let nameLengthMax = 253
    /// Most characters of an entry: a name, `*.`, and two ports.
    public static let entryLengthMax = nameLengthMax + 14
    /// What an entry without ports stands for.
    public static let portsDefault = [80...80, 443...443] as [ClosedRange<Int>]

    /// Entries as the owner wrote them, checked when they were given.
    public let entries: [String]
    private let rules: [EgressRule]

    /// No connection at all: the default.
    public static let none = EgressPolicy()

    private init() {
        entries = []
        rules = []
    }

    /// - Throws: for the first entry that cannot be taken. O(entries).
    public init(_ entries: [String]) throws(EgressPolicyError) {
        guard entries.count <= Self.entriesMax else {
            throw EgressPolicyError(
                .tooManyEntries, "",
                "\(entries.count) egress entries, \(Self.entriesMax) at most; list a network or *.domain in place of single hosts")
        }
        var rules: [EgressRule] = []
        for entry in entries { rules.append(try EgressRule(entry)) }
        self.entries = entries
        self.rules = rules
    }

    public var isNone: Bool { entries.isEmpty }

    /// Whether an entry lists this machine's loopback, by an address (127.0.0.0/8, ::1) or by a name (`localhost` and what ends in
    /// `.localhost`, RFC 6761 section 6.3). O(entries).
    public var listsLoopback: Bool {
        rules.contains { rule in
            switch rule.destination {
            case .name(let name): name == "localhost" || name.hasSuffix(".localhost")
            case .subdomains(let suffix): suffix.hasSuffix(".localhost")
            // A network that is wider than loopback opens nothing of it.
            case .network(let network): network.first.isLoopback
            }
        }
    }

    /// Whether the function may ask for that name at that port. Where it leads is another question:
    /// ``permits(address:port:isNamed:isOwnHost:)``. O(entries).
    ///
    /// - Parameter name: in any case, with or without the dot at its end; never an address.
    public func permits(name: String, port: Int) -> Bool {
        guard let name = Self.canonicalName(name) else { return false }
        return rules.contains { $0.permits(name: name, port: port) }
    }

    /// Whether a connection may be made to that address and port. O(entries).
    ///
    /// - Parameters:
    ///   - isNamed: whether ``permits(name:port:)`` allowed a name that resolved to the address. Then ordinary addresses need no entry.
    ///   - isOwnHost: whether the address is this machine's. Then nothing less than an entry for this one address will do, except
    ///     for loopback, which is no other machine's anyway: what listens here may trust whoever comes from here.
    public func permits(address: IPAddress, port: Int, isNamed: Bool, isOwnHost: Bool = false) -> Bool {
        let special = SpecialAddressRange.containing(address)
        let isOwnHost = isOwnHost && !address.isLoopback
        if isNamed, special == nil, !isOwnHost { return true }
        let lengthMin = isOwnHost ? address.family.bitCount : special?.network.prefixLength ?? 0
        return rules.contains { $0.permits(address: address, port: port, prefixLengthMin: lengthMin) }
    }

    /// What an address is for, if it is for something else than a host on the internet: "private (RFC 1918)".
    public static func specialPurpose(of address: IPAddress) -> String? {
        SpecialAddressRange.containing(address).map { "\($0.purpose) (\($0.source))" }
    }

    /// The name in the form in which names are compared: lower case, without a dot at its end.
    ///
    /// - Returns: `nil` for what is no name of a host: an empty or too long label, other characters than letters, digits, `-` and `_`,
    ///   or a last label that is a number, which some programs take for an address. International names come as `xn--…`.
    public static func canonicalName(_ text: some StringProtocol) -> String? {
        guard (1...nameLengthMax + 1).contains(text.utf8.count) else { return nil }
        var bytes = Array(text.utf8)
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        guard bytes.count <= nameLengthMax else { return nil }
        for index in bytes.indices where (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(bytes[index]) { bytes[index] |= 0x20 }
        for label in bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-") else { return nil }
            guard label.allSatisfy({ isNameByte($0) }) else { return nil }
        }
        let name = String(decoding: bytes, as: UTF8.self)
        return IPAddress.endsInNumber(name) ? nil : name
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte.isDecimalDigit || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_")
    }

    public static func == (left: EgressPolicy, right: EgressPolicy) -> Bool { left.entries == right.entries }
    public func hash(into hasher: inout Hasher) { hasher.combine(entries) }
}

/// As the texts, in their order.
extension EgressPolicy: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do {
            try self.init(container.decode([String].self))
        } catch let error as EgressPolicyError {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: error.description)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(entries)
    }
}
