import EngineCore
import Testing

@Suite struct IPAddressTests {
    static let spellings: [(String, String)] = [
        ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("0:0:0:0:0:FFFF:c000:0201", "192.0.2.1"), ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
    ]

    @Test(arguments: spellings)
    func `an address is written as RFC 5952 says`(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(
        arguments: [
            "", "1", "1.2.3", "1.2.3.4.", ".1.2.3.4", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.-4", "0x1.2.3.4",
            "1.2.3.+4", "1..2.3", ":", ":::", "1:", ":1", "1::2::3", "12345::", "::1.2.3", "1.2.3.4::", "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::g", "fe80::1%1", "[::1]", "::1/128", "1:2:3:4:5:6:7:1.2.3.4", "::-1", "٣.1.1.1",
        ])
    func `what is not exactly an address is none`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `an address is the same after it was written and read`() {
        let seed = UInt64.random(in: 0 ... .max)
        var state = seed
        let next = {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
        for _ in 0..<2000 {
            // Groups are cleared at random, so that the gap comes at every place and in every length.
            let mask = (0..<8).reduce(UInt128(0)) { mask, _ in mask << 16 | (next() >> 40 & 1 == 0 ? 0xFFFF : 0) }
            let address = IPAddress(v6: (UInt128(next()) << 64 | UInt128(next())) & mask)
            #expect(IPAddress(address.description) == address, "seed \(seed)")
            let short = IPAddress(v4: UInt32(truncatingIfNeeded: next()))
            #expect(IPAddress(short.description) == short, "seed \(seed)")
            #expect(IPAddress("::ffff:\(short)") == short, "seed \(seed)")
            for length in [0, 1, 31, 32] {
                #expect(IPNetwork(of: short, prefixLength: length).contains(short), "seed \(seed)")
            }
        }
    }
}
