import ArgumentParser
import EngineCore
import Testing
@testable import WaysideCommands

@Suite struct PoolScreenTests {
    @Test func `POOL-24 in 80 columns the list shows what is kept, ready, booting and active, and how warm calls are`() throws {
        let text = PoolListing(report: Samples.pools, width: 80).render()
        #expect(text.longestLine <= 80)
        let titles = try #require(text.lines.first { $0.hasPrefix("SUB-POOL") })
        for title in ["FLOOR", "TARGET", "READY", "BOOT", "ACTIVE", "MEMORY", "WARM", "WAIT"] {
            #expect(titles.contains(title), "\(title)")
        }
        let python = try #require(text.lines.first { $0.hasPrefix("general/python/128 ") })
        #expect(python.split(separator: " ").contains("90%"))
        #expect(text.contains("2.5 GiB of 4 GiB held") && text.contains("6 calls: 3 for a lower price, 2 for free capacity"))
        #expect(text.lines.contains { $0.hasPrefix("not shown: ") })
    }

    @Test func `POOL-24 in 200 columns every column is there, names and reasons in full`() throws {
        let text = PoolListing(report: Samples.pools, width: 200).render()
        #expect(text.longestLine <= 200)
        let titles = try #require(text.lines.first { $0.hasPrefix("SUB-POOL") })
        for title in ["FLOOR", "TARGET", "CEIL", "MEMORY", "LIMIT", "PRICE", "CALLS", "WARM", "OWN", "POOL", "NEW", "WAIT"] {
            #expect(titles.contains(title), "\(title)")
        }
        #expect(text.contains("\ndedicated/1234") && text.contains("image-resizer-thumbnails:$LATEST"))
        #expect(text.contains("variable/spot 4.50 for a GiB-hour") && !text.contains("not shown"))
    }

    @Test(arguments: [80, 200])
    func `what is drained, lent or fails to boot is noted at any width`(width: Int) {
        let text = PoolListing(report: Samples.pools, width: width).render()
        #expect(text.contains("notes       general/node/256: 3 boot failures") && text.contains("fixed/gold: drained, lent 256 MiB"))
    }

    @Test func `POOL-24 to a file or another program every column goes`() {
        let text = PoolListing(report: Samples.pools, width: nil).render()
        #expect(text.contains("9 for a lower price, 2 for a cheaper period"))
        #expect(text.contains("HAD TO WAIT") && text.contains("REFUSED") && !text.contains("…") && !text.contains("not shown"))
    }

    @Test(arguments: [40, 60, 80, 100, 120, 160, 200])
    func `the list keeps to any width, and sub-pools come by kind`(width: Int) throws {
        let lines = PoolListing(report: Samples.pools, showsLedger: true, width: width).render().lines
        // The name's own column is the one thing that may stand out, in a terminal that is narrower than the name.
        #expect(lines.allSatisfy { $0.count <= max(width, 40) }, "\(lines.max { $0.count < $1.count } ?? "")")
        let kinds = lines.compactMap { line in ["general", "dedica", "fixed", "variab"].firstIndex { line.hasPrefix($0) } }
        #expect(kinds.prefix(5) == [0, 0, 1, 2, 3])
    }

    @Test func `POOL-23 the ledger has a row for each account and sub-pool, and the total last`() throws {
        let text = PoolListing(report: Samples.pools, showsLedger: true, width: 200).render()
        let lines = text.lines
        let start = try #require(lines.firstIndex { $0.hasPrefix("ACCOUNT") })
        #expect(lines[(start + 1)...].map { $0.prefix { $0 != " " } } == ["123456789012", "nobody's", "all"])
        for part in ["81234.5 s", "712.1 s", "8914.1 GiB s"] { #expect(lines[start + 1].contains(part), "\(part)") }
        #expect(!PoolListing(report: Samples.pools, width: 200).render().contains("MEMORY-TIME"))
    }

    @Test func `one sub-pool is shown with every way and every reason`() {
        let text = SubPoolDescription(pool: Samples.subPools[1], width: 80).render()
        for part in [
            "general/python/128", "4 instances ready, at least 1, at most 10", "3 ready, 1 booting, 6 of accounts", "10000",
            "an idle container: 9000 (90%)", "a new instance: 1 (1%)", "17 for free capacity", "3 no capacity",
        ] { #expect(text.contains(part), "\(part)\n\(text)") }
        #expect(text.longestLine <= 80)
    }

    @Test(arguments: [
        (["lend", "fixed/gold", "--memory", "5", "--for", "10m"], true), (["lend", "fixed/gold", "--memory", "5", "--for", "10x"], false),
        (["lend", "gold", "--memory", "5"], false), (["set", "general/python/128"], false),
        (["set", "general/python/128", "--floor", "2"], true), (["set", "general/python", "--floor", "2"], false),
        (["reserve", "hello:3", "--count", "2"], true), (["reserve", "hello"], false), (["reserve", "hello", "--memory", "2"], false),
        (["reserve", "fixed/gold", "--memory", "512"], true), (["reserve", "fixed/gold", "--count", "2"], false),
        (["reserve", "general/python/128", "--count", "2"], false), (["drain", "variable/spot"], true), (["drain", "spot"], false),
    ] as [([String], Bool)])
    func `a command that cannot be meant is refused before the node is asked`(arguments: [String], isRight: Bool) {
        #expect(((try? PoolCommand.parseAsRoot(arguments)) != nil) == isRight)
    }
}
