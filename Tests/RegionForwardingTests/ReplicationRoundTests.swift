import EngineCore
import Testing

@testable import RegionForwarding

struct ReplicationRoundTests {
    private let all: Set = ["a", "b", "c", "d"]
    private let start = EngineInstant(nanoseconds: 0)

    private func round(_ breadth: Int, required: Bool = false, held: Set<String> = []) -> ReplicationRound {
        var configuration = ReplicationConfiguration()
        configuration.breadth = breadth
        configuration.isRequired = required
        return ReplicationRound(order: ["a", "b", "c", "d"], held: held, configuration: configuration)
    }

    @Test(arguments: [(1, 1), (2, 2), (3, 2), (4, 3), (9, 3)])
    func `PLACE-02 a change waits for a majority of the first regions, and sends to no others`(breadth: Int, quorum: Int) {
        var round = round(breadth)
        let sent = Array(["a", "b", "c", "d"].prefix(breadth))
        #expect(round.step(reachable: all, now: start) == .send(sent))
        for region in sent.prefix(quorum - 1) { round.ended(region, refusal: nil, now: start) }
        #expect(round.step(reachable: all, now: start) == .wait)
        round.ended(sent[quorum - 1], refusal: nil, now: start)
        #expect(round.step(reachable: all, now: start) == .done)
    }

    @Test func `PLACE-02 a region that goes out of reach while it is sent to is replaced`() {
        var round = round(2)
        #expect(round.step(reachable: all, now: start) == .send(["a", "b"]))
        #expect(round.step(reachable: ["b", "c", "d"], now: start) == .send(["c"]))
        round.ended("b", refusal: nil, now: start)
        round.ended("c", refusal: nil, now: start)
        #expect(round.step(reachable: ["b", "c", "d"], now: start) == .done)
    }

    @Test func `PLACE-02 a region that refuses is asked again after those that were not asked, and after a pause`() {
        var round = round(2)
        #expect(round.step(reachable: ["a", "b", "c"], now: start) == .send(["a", "b"]))
        round.ended("a", refusal: "its disk is full", now: start)
        #expect(round.step(reachable: ["a", "b", "c"], now: start) == .send(["c"]))
        round.ended("c", refusal: "its disk is full", now: start)
        #expect(round.step(reachable: ["a", "b", "c"], now: start) == .wait)
        #expect(round.step(reachable: ["a", "b", "c"], now: start + .milliseconds(500)) == .send(["a"]))
    }

    @Test func `PLACE-22 while fewer than a quorum can be reached, those that can must hold it, or all of it if that is required`() {
        var lenient = round(3)
        #expect(lenient.step(reachable: [], now: start) == .done)
        #expect(lenient.step(reachable: ["d"], now: start) == .send(["d"]))
        lenient.ended("d", refusal: nil, now: start)
        #expect(lenient.step(reachable: ["d"], now: start) == .done)

        var strict = round(3, required: true)
        #expect(strict.step(reachable: [], now: start) == .wait)
        #expect(strict.step(reachable: ["d"], now: start) == .send(["d"]))
        strict.ended("d", refusal: nil, now: start)
        #expect(strict.step(reachable: ["d"], now: start) == .wait)
    }

    @Test func `what is held already is not sent`() {
        var round = round(2, held: ["a", "b"])
        #expect(round.step(reachable: all, now: start) == .done)
    }

    @Test func `the failure names every region that did not take it, and why`() {
        var round = round(3)
        _ = round.step(reachable: ["a", "b", "c"], now: start)
        round.ended("a", refusal: nil, now: start)
        round.ended("b", refusal: "its disk is full", now: start)
        let text = round.failure(reachable: ["a", "b", "c"])
        #expect(text.contains("2 of the regions must hold it"))
        #expect(text.contains("only a holds it (b: its disk is full; c did not answer in time; d is out of reach)"))
        #expect(text.contains("Try again."))
    }
}
