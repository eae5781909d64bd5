/// One entry of an ``EgressPolicy``, taken apart.
struct EgressRule: Sendable {
    enum Destination: Hashable, Sendable {
        /// A name in the form in which names are compared.
        case name(String)
        /// What a subdomain ends in: `.example.com`.
        case subdomains(String)
        case network(IPNetwork)
    }

    let destination: Destination
    let ports: [ClosedRange<Int>]

    func permits(name: String, port: Int) -> Bool {
        guard ports.contains(where: { $0.contains(port) }) else { return false }
        return switch destination {
        case .name(let own): name == own
        case .subdomains(let suffix): name.utf8.count > suffix.utf8.count && name.hasSuffix(suffix)
        case .network: false
        }
    }

    func permits(address: IPAddress, port: Int, prefixLengthMin: Int) -> Bool {
        guard case .network(let network) = destination, ports.contains(where: { $0.contains(port) }) else { return false }
        return network.prefixLength >= prefixLengthMin && network.contains(address)
    }

    init(_ entry: String) throws(EgressPolicyError) {
        guard entry.utf8.count <= EgressPolicy.entryLengthMax else {
            throw EgressPolicyError(.nameInvalid, entry, "a name has at most \(EgressPolicy.nameLengthMax) characters")
        }
        guard !entry.isEmpty else { throw EgressPolicyError(.nameInvalid, entry, "an egress entry is empty; remove it") }
        guard !entry.contains("://") else {
            throw EgressPolicyError(.nameInvalid, entry, "an entry has no scheme and no path; write api.example.com:443")
        }
        if entry.first == "[" {
            guard let end = entry.firstIndex(of: "]"), entry[..<end].utf8.contains(UInt8(ascii: ":")),
                let address = IPAddress(entry[entry.index(after: entry.startIndex)..<end])
            else {
                throw EgressPolicyError(.addressInvalid, entry, "no IPv6 address in brackets; write [2001:db8::]/32:443")
            }
            let rest = entry[entry.index(after: end)...]
            guard rest.isEmpty || rest.first == "/" || rest.first == ":" else {
                throw EgressPolicyError(.addressInvalid, entry, "behind the bracket belongs /prefix or :port")
            }
            try self.init(address, isMapped: address.family == .v4, rest, entry)
        } else {
            guard entry.utf8.count(where: { $0 == UInt8(ascii: ":") }) <= 1 else {
                throw EgressPolicyError(.addressInvalid, entry, "IPv6 stands in brackets, the prefix behind them: [2001:db8::]/32:443")
            }
            let end = entry.firstIndex { $0 == "/" || $0 == ":" } ?? entry.endIndex
            if let address = IPAddress(entry[..<end]) {
                try self.init(address, isMapped: false, entry[end...], entry)
            } else {
                try self.init(name: entry[..<end], entry[end...], entry)
            }
        }
    }

    private init(name: Substring, _ rest: Substring, _ entry: String) throws(EgressPolicyError) {
        guard rest.first != "/", !IPAddress.endsInNumber(name) else {
            throw EgressPolicyError(
                .addressInvalid, entry, "not an IPv4 address; write four decimal numbers without leading zeros, 192.0.2.7")
        }
        let isWildcard = name.hasPrefix("*.")
        guard let canonical = EgressPolicy.canonicalName(isWildcard ? name.dropFirst(2) : name) else {
            throw EgressPolicyError(
                .nameInvalid, entry, "not a host's name; write api.example.com, *.example.com for subdomains, xn--… for other scripts")
        }
        destination = isWildcard ? .subdomains("." + canonical) : .name(canonical)
        ports = try Self.ports(rest, entry)
    }

    /// - Parameter isMapped: whether an IPv4 address was written as IPv6, and its prefix so counts the 96 bits before it.
    private init(_ address: IPAddress, isMapped: Bool, _ rest: Substring, _ entry: String) throws(EgressPolicyError) {
        var length = address.family.bitCount
        var rest = rest
        if rest.first == "/" {
            let end = rest.firstIndex(of: ":") ?? rest.endIndex
            let lengthMax = isMapped ? 128 : length
            guard let written = Self.number(rest[..<end].dropFirst(), most: lengthMax), !isMapped || written >= 96 else {
                throw EgressPolicyError(.prefixInvalid, entry, "a prefix is a number from \(isMapped ? 96 : 0) to \(lengthMax)")
            }
            length = isMapped ? written - 96 : written
            rest = rest[end...]
        }
        guard let network = IPNetwork(address, prefixLength: length) else {
            let nearest = IPNetwork(of: address, prefixLength: length)
            let text = "\(nearest.first.authority)/\(length)"
            throw EgressPolicyError(.prefixInvalid, entry, "the address goes on behind the prefix; write \(text) for the whole network")
        }
        destination = .network(network)
        ports = try Self.ports(rest, entry)
    }

    private static func ports(_ rest: Substring, _ entry: String) throws(EgressPolicyError) -> [ClosedRange<Int>] {
        guard rest.first == ":" else { return EgressPolicy.portsDefault }
        let parts = rest.dropFirst().split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = parts.compactMap { number($0, most: 65535) }
        guard numbers.count == parts.count, let first = numbers.first, let last = numbers.last, first >= 1, first <= last else {
            throw EgressPolicyError(.portInvalid, entry, "behind the colon belongs a port from 1 to 65535, or a range: 8000-8100")
        }
        return [first...last]
    }

    /// A decimal number without sign and leading zeros.
    private static func number(_ text: Substring, most: Int) -> Int? {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy(\.isDecimalDigit) else { return nil }
        guard text.utf8.count == 1 || text.first != "0", let value = Int(text), value <= most else { return nil }
        return value
    }
}
