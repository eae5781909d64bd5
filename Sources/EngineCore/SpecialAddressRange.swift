/// A range of addresses that means something else than "a host on the internet", and why.
///
/// A name's owner decides what the name resolves to, and so could lead a function's connection to this machine, to its neighbours, or
/// to the cloud's metadata service (DNS rebinding). What is in this table is therefore never connected to unless the function's
/// owner lists the address itself.
///
/// The rows are those of the IANA registries of special-purpose addresses for IPv4 and IPv6 (RFC 6890), of multicast, of IPv6 outside
/// 2000::/3, the only block that unicast addresses of the internet are taken from (RFC 4291 section 2.4), and the services that
/// clouds give their machines. Rows lie in each other; the narrowest decides, as in the registries. IPv6 that carries an IPv4
/// address for a gateway, 6to4 and NAT64, means the host with that address: the IPv4 rows are repeated there.
struct SpecialAddressRange: Hashable, Sendable {
    let network: IPNetwork
    /// What the range is for, as it can stand in a sentence.
    let purpose: String
    /// The document that says so.
    let source: String
    /// Whether its addresses may nevertheless be reached like any other: an island within a wider row.
    let isOrdinary: Bool

    /// The narrowest row that `address` lies in; `nil` for an ordinary address. O(rows), of which there are fewer than 200.
    static func containing(_ address: IPAddress) -> SpecialAddressRange? {
        let rows = address.family == .v4 ? v4 : v6
        let row = rows.lazy.filter { $0.network.contains(address) }.max { $0.network.prefixLength < $1.network.prefixLength }
        guard let row, !row.isOrdinary else { return nil }
        return row
    }

    static let all = v4 + v6

    private init(_ text: String, _ purpose: String, _ source: String, isOrdinary: Bool = false) {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let first = IPAddress(parts[0]), let length = Int(parts[1]),
            let network = IPNetwork(first, prefixLength: length)
        else { preconditionFailure("the table of special ranges has a row that is no network: \(text)") }
        self.init(network, purpose, source, isOrdinary: isOrdinary)
    }

    private init(_ network: IPNetwork, _ purpose: String, _ source: String, isOrdinary: Bool) {
        self.network = network
        self.purpose = purpose
        self.source = source
        self.isOrdinary = isOrdinary
    }

    private static let v4: [SpecialAddressRange] = [
        .init("0.0.0.0/8", "this network", "RFC 791, section 3.2"),
        .init("0.0.0.0/32", "the unspecified address", "RFC 1122, section 3.2.1.3"),
        .init("10.0.0.0/8", "private", "RFC 1918"),
        .init("100.64.0.0/10", "shared by a carrier's customers", "RFC 6598"),
        .init("100.100.100.200/32", "a cloud's metadata service", "Alibaba Cloud"),
        .init("127.0.0.0/8", "loopback", "RFC 1122, section 3.2.1.3"),
        .init("168.63.129.16/32", "a cloud's host services", "Azure"),
        .init("169.254.0.0/16", "link-local", "RFC 3927"),
        .init("169.254.169.254/32", "a cloud's metadata service", "AWS, Azure, Google Cloud and others"),
        .init("169.254.170.2/32", "a cloud's credentials service", "AWS ECS"),
        .init("169.254.170.23/32", "a cloud's credentials service", "AWS EKS"),
        .init("172.16.0.0/12", "private", "RFC 1918"),
        .init("192.0.0.0/24", "for protocols", "RFC 6890, section 2.1"),
        .init("192.0.0.0/29", "between networks of a carrier", "RFC 7335"),
        .init("192.0.0.8/32", "a dummy address", "RFC 7600"),
        .init("192.0.0.9/32", "the Port Control Protocol's anycast address", "RFC 7723", isOrdinary: true),
        .init("192.0.0.10/32", "the TURN anycast address", "RFC 8155", isOrdinary: true),
        .init("192.0.0.170/32", "the discovery of NAT64", "RFC 8880"),
        .init("192.0.0.171/32", "the discovery of NAT64", "RFC 8880"),
        .init("192.0.0.192/32", "a cloud's metadata service", "Oracle Cloud"),
        .init("192.0.2.0/24", "documentation", "RFC 5737"),
        .init("192.31.196.0/24", "AS112", "RFC 7535", isOrdinary: true),
        .init("192.52.193.0/24", "automatic multicast tunnels", "RFC 7450", isOrdinary: true),
        .init("192.88.99.0/24", "relays of 6to4, given up", "RFC 7526"),
        .init("192.168.0.0/16", "private", "RFC 1918"),
        .init("192.175.48.0/24", "AS112", "RFC 7534", isOrdinary: true),
        .init("198.18.0.0/15", "benchmarks", "RFC 2544"),
        .init("198.51.100.0/24", "documentation", "RFC 5737"),
        .init("203.0.113.0/24", "documentation", "RFC 5737"),
        .init("224.0.0.0/4", "multicast", "RFC 5771"),
        .init("240.0.0.0/4", "reserved", "RFC 1112, section 4"),
        .init("255.255.255.255/32", "broadcast", "RFC 919, section 7"),
    ]

    /// All of IPv6 but 2000::/3, without what has a row of its own.
    private static let reserved = [
        "::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4", "4000::/3", "6000::/3", "8000::/3", "a000::/3", "c000::/3",
        "e000::/4", "f000::/5", "f800::/6", "fe00::/9",
    ].map { SpecialAddressRange($0, "reserved", "RFC 4291, section 2.4") }

    private static let v6: [SpecialAddressRange] =
        reserved + [
            .init("::/96", "IPv4-compatible, given up", "RFC 4291, section 2.5.5.1"),
            .init("::/128", "the unspecified address", "RFC 4291, section 2.5.2"),
            .init("::1/128", "loopback", "RFC 4291, section 2.5.3"),
            .init("64:ff9b::/96", "IPv4 behind a NAT64", "RFC 6052", isOrdinary: true),
            .init("64:ff9b:1::/48", "IPv4 behind a NAT64 of one's own", "RFC 8215"),
            .init("100::/64", "to be discarded", "RFC 6666"),
            .init("100:0:0:1::/64", "a dummy prefix", "RFC 9780"),
            .init("2001::/23", "for protocols", "RFC 2928"),
            .init("2001::/32", "Teredo", "RFC 4380"),
            .init("2001:1::1/128", "the Port Control Protocol's anycast address", "RFC 7723", isOrdinary: true),
            .init("2001:1::2/128", "the TURN anycast address", "RFC 8155", isOrdinary: true),
            .init("2001:1::3/128", "the anycast address of DNS service registration", "RFC 9665", isOrdinary: true),
            .init("2001:2::/48", "benchmarks", "RFC 5180"),
            .init("2001:3::/32", "automatic multicast tunnels", "RFC 7450", isOrdinary: true),
            .init("2001:4:112::/48", "AS112", "RFC 7535", isOrdinary: true),
            .init("2001:10::/28", "ORCHID, given up", "RFC 4843"),
            .init("2001:20::/28", "ORCHID, which are no addresses of hosts", "RFC 7343"),
            .init("2001:30::/28", "identities of drones", "RFC 9374"),
            .init("2001:db8::/32", "documentation", "RFC 3849"),
            .init("2002::/16", "6to4", "RFC 3056", isOrdinary: true),
            .init("2620:4f:8000::/48", "AS112", "RFC 7534", isOrdinary: true),
            .init("3fff::/20", "documentation", "RFC 9637"),
            .init("5f00::/16", "identifiers of segment routing", "RFC 9602"),
            .init("fc00::/7", "private (unique local)", "RFC 4193"),
            .init("fd00:ec2::23/128", "a cloud's credentials service", "AWS EKS"),
            .init("fd00:ec2::254/128", "a cloud's metadata service", "AWS"),
            .init("fd20:ce::254/128", "a cloud's metadata service", "Google Cloud"),
            .init("fe80::/10", "link-local", "RFC 4291, section 2.5.6"),
            .init("fec0::/10", "site-local, given up", "RFC 3879"),
            .init("ff00::/8", "multicast", "RFC 4291, section 2.7"),
        ] + embedded(in: 0x2002, length: 16, "6to4 of what is ") + embedded(in: 0x0064_FF9B << 64, length: 96, "NAT64 of what is ")

    /// The rows of IPv4 within the IPv6 block that is `length` bits long, with the IPv4 address behind them.
    ///
    /// - Parameter block: those bits as a number.
    private static func embedded(in block: UInt128, length: Int, _ words: String) -> [SpecialAddressRange] {
        v4.map { row in
            let bits = (block << UInt128(128 - length)) | (row.network.first.bits << UInt128(96 - length))
            let network = IPNetwork(of: IPAddress(v6: bits), prefixLength: length + row.network.prefixLength)
            return SpecialAddressRange(network, words + row.purpose, row.source, isOrdinary: row.isOrdinary)
        }
    }
}
