import EngineCore
import Foundation
import Frontend
import Testing
@testable import WaysideCommands

@Suite struct InventoryScreenTests {
    @Test(arguments: [80, 200])
    func `STICK-01 a container's line has its instance, account, function, version and state`(width: Int) throws {
        let text = InventoryTables.containers(Samples.instances).render(width: width)
        #expect(text.longestLine <= width)
        #expect(text.lines.prefix(4).map { $0.split(separator: " ")[0] } == ["CONTAINER", "11", "12", "14"])
        let words = text.lines[1].split(separator: " ")
        #expect(words.starts(with: ["11", "3", "123456789012", "hello", "$LATEST", "idle"]))
        #expect(text.lines[2].contains("17") && text.lines[2].contains("busy"))
        #expect(text.lines[3].split(separator: " ").starts(with: ["14", "5", "-", "-", "-", "spare"]))
        if width == 200 { #expect(words.contains("30") && text.contains("12 MiB") && text.contains("pinned")) }
    }

    @Test(arguments: [80, 200])
    func `STICK-01 an instance's line has its account, state and containers`(width: Int) {
        let text = InventoryTables.instances(Samples.instances).render(width: width)
        #expect(text.longestLine <= width)
        #expect(text.lines[1].split(separator: " ").starts(with: ["3", "123456789012", "active"]))
        #expect(text.lines[1].contains("1 busy, 1 idle") && text.lines[3].contains("booting") && text.lines[3].contains("none"))
    }

    @Test(arguments: [80, 200])
    func `STICK-06 the table of routing values keeps row, value and container at any width`(width: Int) throws {
        let json = #"""
            {"rows":[{"id":"0123456789abcdef","account":"123456789012","function":"arn:aws:lambda:eu-central-1:123456789012:function:hello",
            "version":"$LATEST","value":"user-4711@example.com/session/98ab-very-long-routing-value-of-somebody\u001b[2J","container":11,
            "state":"idle","ageSeconds":900,"idleSeconds":3,"uses":12}],"total":1}
            """#
        let answer = try JSONDecoder().decode(StickyAnswer.self, from: Data(json.utf8))
        let text = StickyList.table(answer.rows).render(width: width)
        #expect(text.longestLine <= width && !text.contains("\u{1b}"))
        let row = text.lines[1]
        #expect(row.hasPrefix("0123456789abcdef  user-") && row.contains(" 11") && row.contains("hello"))
        #expect(row.contains("…") == (width == 80))
    }

    @Test func `cold starts are told newest first, and a remedy that helps several once`() throws {
        let now = Samples.now
        let starts = [(60.0, ColdCause.busy), (400, .busy), (90_000, .first)].map { ago, cause in
            ColdStartReport(
                whenEpochSeconds: now.timeIntervalSince1970 - ago, function: Samples.function("hello"), version: .latest,
                branch: .warmingPool, cause: cause, details: .init(busy: 3))
        }
        let json = #"{"function":"ARN","coldStarts":\#(try JSONText.of(starts))}"#
        let answer = try JSONDecoder().decode(ColdStartsAnswer.self, from: Data(json.utf8))
        let text = ColdStartListing(answer: answer, width: 80, now: now).render()
        #expect(text.longestLine <= 80)
        #expect(text.contains("All 3 of its containers were busy. It got an instance of\n"))
        #expect(text.contains("for 2 of 3"))
        #expect(text.components(separatedBy: "--count 4").count == 2)
    }
}
