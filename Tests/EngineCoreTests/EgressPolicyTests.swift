@testable import EngineCore
import Foundation
import Testing

/// What a policy must make of an address that a listed name led to.
struct SpecialCase: Sendable, CustomTestStringConvertible {
    let address: String
    let isSpecial: Bool
    var testDescription: String { "\(address) \(isSpecial ? "special" : "ordinary")" }
}

private func cases(_ addresses: String, isSpecial: Bool) -> [SpecialCase] {
    addresses.split(whereSeparator: \.isWhitespace).map { SpecialCase(address: String($0), isSpecial: isSpecial) }
}

@Suite struct EgressPolicyTests {
    @Test func `a function may connect to nothing unless told otherwise`() throws {
        #expect(EgressPolicy.none.isNone)
        #expect(try EgressPolicy([]) == .none)
        #expect(!EgressPolicy.none.permits(name: "example.com", port: 443))
        #expect(!EgressPolicy.none.permits(address: try #require(IPAddress("8.8.8.8")), port: 443, isNamed: false))
    }

    @Test func `a name is compared in lower case and without the dot at its end`() throws {
        let policy = try EgressPolicy(["API.Example.com:443"])
        for name in ["api.example.com", "API.EXAMPLE.COM", "api.example.com.", "Api.Example.Com."] {
            #expect(policy.permits(name: name, port: 443), "\(name)")
        }
        for name in [
            "example.com", "xapi.example.com", "x.api.example.com", "api.example.com.evil.org", "api.example.com..", "api.example.com ",
            "api.example.com\0", "api。example.com", "", ".", "[api.example.com]",
        ] {
            #expect(!policy.permits(name: name, port: 443), "\(name)")
        }
        #expect(!policy.permits(name: "api.example.com", port: 80))
    }

    @Test func `a wildcard means subdomains at any depth, not the domain itself`() throws {
        let policy = try EgressPolicy(["*.example.com:443"])
        #expect(policy.permits(name: "a.example.com", port: 443))
        #expect(policy.permits(name: "a.b.example.com", port: 443))
        #expect(!policy.permits(name: "example.com", port: 443))
        #expect(!policy.permits(name: "badexample.com", port: 443))
        #expect(!policy.permits(name: ".example.com", port: 443))
    }

    @Test(arguments: [
        ("127.0.0.1:5432", true), ("127.0.0.0/8:80", true), ("127.8.0.0/16", true), ("[::1]:443", true), ("[::ffff:127.0.0.1]:443", true),
        ("localhost:5432", true), ("LOCALHOST.:80", true), ("db.localhost:80", true), ("*.localhost:80", true), ("*.db.localhost", true),
        ("0.0.0.0/0:1-65535", false), ("[::]/0:1-65535", false), ("126.0.0.0/8", false), ("10.0.0.1", false),
        ("localhost.example:80", false), ("notlocalhost:80", false), ("*.example.com", false),
    ])
    func `a policy knows whether it lists loopback`(entry: String, listsLoopback: Bool) throws {
        #expect(try EgressPolicy(["api.example.com:443", entry]).listsLoopback == listsLoopback)
        #expect(!EgressPolicy.none.listsLoopback)
    }

    @Test func `ports are one, a range, or 80 and 443`() throws {
        let policy = try EgressPolicy(["one.example:5432", "range.example:8000-8100", "none.example"])
        let permitted = { (name: String) in (1...65535).filter { policy.permits(name: name, port: $0) } }
        #expect(permitted("one.example") == [5432])
        #expect(permitted("range.example") == Array(8000...8100))
        #expect(permitted("none.example") == [80, 443])
    }

    @Test func `a network permits its addresses and no name`() throws {
        let policy = try EgressPolicy(["10.0.0.0/8:5432", "192.0.2.7:80", "[2001:db8::]/32:443"])
        let permits = { (address: String, port: Int) in
            policy.permits(address: try #require(IPAddress(address)), port: port, isNamed: false)
        }
        #expect(try permits("10.255.255.255", 5432))
        #expect(try permits("::ffff:10.0.0.1", 5432))
        #expect(try permits("192.0.2.7", 80))
        #expect(try permits("2001:db8:ffff::1", 443))
        for (address, port) in [("10.0.0.1", 443), ("11.0.0.0", 5432), ("192.0.2.8", 80), ("2001:db9::", 443), ("::10.0.0.1", 5432)] {
            #expect(try !permits(address, port), "\(address) \(port)")
        }
        #expect(!policy.permits(name: "10.0.0.1", port: 5432))
    }

    static let specials =
        cases(
            """
            0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255 168.63.129.16 169.254.0.0
            169.254.169.254 169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.1 192.0.0.170 192.0.0.255 192.0.2.1 192.88.99.1
            192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.9 203.0.113.255 224.0.0.1 239.255.255.255 240.0.0.1
            255.255.255.255 :: ::1 ::2 ::10.0.0.1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 ::ffff:a9fe:a9fe 64:ff9b::10.0.0.1
            64:ff9b::169.254.169.254 64:ff9b:1::8.8.8.8 100::1 100:0:0:1::1 1000::1 2001::1 2001:2::1 2001:10::1 2001:20::1 2001:30::1
            2001:1ff::1 2001:db8::1 2002:a00:1:: 2002:7f00:1::1 2002:a9fe:a9fe::1 2002:c0a8:101::1 3fff::1 3fff:fff::1 4000::1 5f00::1
            8000::1 e000::1 fc00::1 fd00:ec2::254 fdff::1 fe80::1 febf::1 fec0::1 ff02::1 ffff::1
            """, isSpecial: true)
        + cases(
            """
            1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 168.63.129.15 169.253.255.255
            169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.0.9 192.0.0.10 192.0.1.0 192.0.3.0 192.31.196.1 192.52.193.1
            192.167.255.255 192.169.0.0 192.175.48.1 198.17.255.255 198.20.0.0 223.255.255.255 ::ffff:8.8.8.8 64:ff9b::8.8.8.8
            2000::1 2001:1::1 2001:3::1 2001:4:112::1 2001:200::1 2001:4860:4860::8888 2002:808:808::1 2606:4700::1111 2620:4f:8000::1
            2a00::1 3ffe::1 3fff:1000::1
            """, isSpecial: false)

    @Test(arguments: specials)
    func `a listed name may lead to ordinary addresses only`(special: SpecialCase) throws {
        let address = try #require(IPAddress(special.address))
        let policy = try EgressPolicy(["api.example.com:443", "0.0.0.0/0:443", "[::]/0:443", "0.0.0.0/1", "[fc00::]/6:443"])
        #expect(policy.permits(address: address, port: 443, isNamed: true) == !special.isSpecial)
        #expect(policy.permits(address: address, port: 443, isNamed: false) == !special.isSpecial)
        #expect((EgressPolicy.specialPurpose(of: address) != nil) == special.isSpecial)
        let listing = try EgressPolicy(["\(address.authority):443"])
        #expect(listing.permits(address: address, port: 443, isNamed: true))
        #expect(listing.permits(address: address, port: 443, isNamed: false))
        #expect(!listing.permits(address: address, port: 80, isNamed: false))
    }

    @Test(arguments: SpecialAddressRange.all)
    func `every row of the table refuses its addresses, until its own network is listed`(row: SpecialAddressRange) throws {
        #expect(!row.purpose.isEmpty && !row.source.isEmpty)
        let address = row.network.first
        guard let decisive = SpecialAddressRange.containing(address) else {
            #expect(SpecialAddressRange.all.contains { $0.isOrdinary && $0.network.contains(address) })
            return
        }
        let named = try EgressPolicy(["api.example.com"])
        #expect(!named.permits(address: address, port: 443, isNamed: true))
        let network = decisive.network
        let entry = "\(network.first.authority)/\(network.prefixLength)"
        #expect(try EgressPolicy([entry]).permits(address: address, port: 443, isNamed: true))
        guard network.prefixLength > 0 else { return }
        let wider = IPNetwork(of: network.first, prefixLength: network.prefixLength - 1)
        #expect(
            try !EgressPolicy(["\(wider.first.authority)/\(wider.prefixLength)"]).permits(address: address, port: 443, isNamed: true))
    }

    @Test func `the metadata service is not opened by the network it lies in`() throws {
        let metadata = try #require(IPAddress("169.254.169.254"))
        #expect(try !EgressPolicy(["169.254.0.0/16"]).permits(address: metadata, port: 80, isNamed: false))
        #expect(try EgressPolicy(["169.254.169.254"]).permits(address: metadata, port: 80, isNamed: false))
    }

    @Test func `an address of this machine needs an entry of its own, except for loopback`() throws {
        let own = try #require(IPAddress("8.8.4.4"))
        let loopback = try #require(IPAddress("127.0.0.1"))
        for entries in [["api.example.com"], ["0.0.0.0/0"], ["8.8.4.0/24"]] {
            #expect(try !EgressPolicy(entries).permits(address: own, port: 443, isNamed: true, isOwnHost: true))
        }
        #expect(try EgressPolicy(["8.8.4.4"]).permits(address: own, port: 443, isNamed: true, isOwnHost: true))
        #expect(try EgressPolicy(["127.0.0.0/8"]).permits(address: loopback, port: 443, isNamed: true, isOwnHost: true))
    }

    static let invalid: [(String, EgressPolicyError.Code)] = [
        ("", .nameInvalid), ("*", .nameInvalid), ("*:443", .nameInvalid), ("*.", .nameInvalid), ("a..b", .nameInvalid),
        ("a.*.b", .nameInvalid), ("*example.com", .nameInvalid), ("-a.example", .nameInvalid), ("a b", .nameInvalid),
        ("münchen.example", .nameInvalid), ("http://example.com", .nameInvalid), ("user@example.com", .nameInvalid),
        (String(repeating: "a", count: 64) + ".example", .nameInvalid), (String(repeating: "a.", count: 130) + "b", .nameInvalid),
        (String(repeating: "x", count: 400), .nameInvalid),
        ("0x7f.1", .addressInvalid), ("017700000001", .addressInvalid), ("2130706433", .addressInvalid), ("127.1", .addressInvalid),
        ("127.0.0.01", .addressInvalid), ("127.0.0.256", .addressInvalid), ("1.2.3.4.5", .addressInvalid), ("0x7f000001", .addressInvalid),
        ("example.com/8", .addressInvalid), ("2001:db8::1", .addressInvalid), ("[2001:db8::1", .addressInvalid),
        ("[10.0.0.0]/8", .addressInvalid), ("[fe80::1%eth0]", .addressInvalid), ("[::1]x", .addressInvalid), ("*.1", .addressInvalid),
        ("10.0.0.0/33", .prefixInvalid), ("10.0.0.1/8", .prefixInvalid), ("10.0.0.0/", .prefixInvalid), ("10.0.0.0/08", .prefixInvalid),
        ("[::]/129", .prefixInvalid), ("[::ffff:10.0.0.0]/8", .prefixInvalid), ("10.0.0.0/+8", .prefixInvalid),
        ("example.com:", .portInvalid), ("example.com:0", .portInvalid), ("example.com:65536", .portInvalid),
        ("example.com:8100-8000", .portInvalid), ("example.com:80-", .portInvalid), ("example.com:https", .portInvalid),
        ("example.com:-80", .portInvalid), ("example.com:080", .portInvalid), ("10.0.0.0/8:0", .portInvalid), ("[::1]:٨٠", .portInvalid),
    ]

    @Test(arguments: invalid)
    func `an entry that could be misread is refused with what to write instead`(entry: String, code: EgressPolicyError.Code) throws {
        let error = #expect(throws: EgressPolicyError.self) { try EgressPolicy(["ok.example", entry]) }
        #expect(error?.code == code, "\(error?.description ?? "none")")
        #expect(error?.message.isEmpty == false)
        #expect(entry.hasPrefix(error?.entry ?? "?"))
    }

    @Test func `whatever an entry is, it is refused or taken for what it says`() {
        let seed = UInt64.random(in: 0 ... .max)
        var state = seed
        let next = { (count: Int) in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % count
        }
        let samples = [
            "api.example.com:443", "*.example.com:8000-8100", "10.0.0.0/8:5432", "[2001:db8::]/32:443", "192.0.2.7", "[::ffff:1.2.3.4]",
        ]
        let bytes = Array("0123456789abxX.:/-*[]_%@ é\0".utf8)
        var taken = 0
        for _ in 0..<5000 {
            var entry = Array(samples[next(samples.count)].utf8)
            for _ in 0...next(3) {
                switch next(3) {
                case 0: entry.insert(bytes[next(bytes.count)], at: next(entry.count + 1))
                case 1: entry[next(entry.count)] = bytes[next(bytes.count)]
                default: entry.remove(at: next(entry.count))
                }
            }
            let text = String(decoding: entry, as: UTF8.self)
            guard let rule = try? EgressRule(text) else { continue }
            taken += 1
            #expect(rule.ports.allSatisfy { (1...65535).contains($0.lowerBound) && $0.upperBound <= 65535 }, "\(text), seed \(seed)")
            switch rule.destination {
            case .name(let name): #expect(text.lowercased().hasPrefix(name) && IPAddress(name) == nil, "\(text), seed \(seed)")
            case .subdomains(let suffix): #expect(text.lowercased().hasPrefix("*" + suffix), "\(text), seed \(seed)")
            case .network(let network): #expect(rule.permits(address: network.first, port: rule.ports[0].lowerBound, prefixLengthMin: 0))
            }
        }
        #expect(taken > 100)
    }

    @Test func `an allow-list has at most 64 entries`() throws {
        let entries = (0..<EgressPolicy.entriesMax).map { "host\($0).example:443" }
        #expect(try EgressPolicy(entries).entries == entries)
        let error = #expect(throws: EgressPolicyError.self) { try EgressPolicy(entries + ["one.more"]) }
        #expect(error?.code == .tooManyEntries)
        let codes = Set(Self.invalid.map { $0.1 } + [.tooManyEntries])
        #expect(codes == Set(EgressPolicyError.Code.allCases))
    }

    @Test func `a policy is stored as its texts, and read strictly`() throws {
        let policy = try EgressPolicy(["api.Example.com:443", "10.0.0.0/8:5432"])
        let data = try JSONEncoder().encode(policy)
        #expect(try JSONDecoder().decode([String].self, from: data) == policy.entries)
        #expect(try JSONDecoder().decode(EgressPolicy.self, from: data) == policy)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(EgressPolicy.self, from: Data(#"["0x7f.1"]"#.utf8)) }
    }
}
