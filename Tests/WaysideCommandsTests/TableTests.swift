import Testing
@testable import WaysideCommands

@Suite struct TableTests {
    @Test func `a table that fits is as wide as its cells, its numbers to the right`() {
        var table = Table(header: ["NAME", "COUNT", "SIZE"])
        table.rows = [["a", "7", "128 MiB"], ["longer", "1200", "-"]]
        let expected = """
            NAME    COUNT     SIZE
            a           7  128 MiB
            longer   1200        -
            """
        #expect(table.render() == expected)
        #expect(table.render(width: 200) == expected)
    }

    @Test func `texts are shortened in the middle before a column goes`() {
        var table = Table(columns: [.init("FIRST", importance: 9, shortest: 5), .init("SECOND"), .init("THIRD")])
        table.rows = [["abcdefghijklmnop", "x", "y"]]
        #expect(
            table.render(width: 25) == """
                FIRST       SECOND  THIRD
                abc…klmnop  x       y
                """)
    }

    @Test func `what is left over goes to the most important column first`() {
        var table = Table(columns: [.init("A", importance: 1, shortest: 3), .init("B", importance: 2, shortest: 3)])
        table.rows = [["abcdefgh", "ABCDEFGH"]]
        #expect(table.render(width: 14) == "A     B\na…gh  ABCDEFGH")
    }

    @Test func `wide characters take two places, and none is cut in half`() {
        var table = Table(columns: [.init("VALUE", shortest: 5), .init("NEXT")])
        table.rows = [["日本語日本語", "x"], ["abc", "y"]]
        #expect(table.render() == "VALUE         NEXT\n日本語日本語  x\nabc           y")
        #expect(table.render(width: 13) == "VALUE    NEXT\n日…本語  x\nabc      y")
        #expect(Terminal.places(Table.shortened("日本語日本語", to: 8)) <= 8)
    }

    @Test func `the least important column goes first, and a line says so`() {
        var table = Table(columns: [.init("FIRST", importance: 1), .init("SECOND", importance: 3), .init("THIRD", importance: 9)])
        table.rows = [["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"]]
        #expect(
            table.render(width: 30) == """
                FIRST       THIRD
                aaaaaaaaaa  cccccccccc
                not shown: SECOND
                """)
        #expect(table.render(width: 5).hasPrefix("FIRST\naaaaaaaaaa\n"))
    }

    @Test func `what strangers chose cannot move the cursor or make lines`() {
        var table = Table(header: ["VALUE"])
        table.rows = [["a\u{1b}[2Jb\nc\u{202e}d"]]
        #expect(table.render() == "VALUE\na\u{FFFD}[2Jb\u{FFFD}c\u{FFFD}d")
    }
}
