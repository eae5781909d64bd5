import EngineCore
import Testing

@testable import RegionForwarding

struct ReplicationQueueTests {
    private func milliseconds(_ value: Int64) -> EngineInstant { EngineInstant(nanoseconds: value * 1_000_000) }

    private func queue() -> ReplicationQueue<String, Int> {
        var configuration = ReplicationConfiguration()
        configuration.queueMax = 3
        configuration.triesMax = 3
        configuration.backoff = .milliseconds(200) ... .milliseconds(300)
        return ReplicationQueue(configuration: configuration)
    }

    @Test func `tasks come once, in the order in which they are due, and not before`() {
        var queue = queue()
        #expect(queue.add("late", 1, due: milliseconds(20), now: milliseconds(0)) == true)
        #expect(queue.add("soon", 2, due: milliseconds(10), now: milliseconds(0)) == true)
        #expect(queue.add("soon", 3, due: milliseconds(0), now: milliseconds(0)) == false)
        #expect(queue.next(now: milliseconds(9)) == nil)
        #expect(queue.next(now: milliseconds(30)).map(\.key) == "soon")
        #expect(queue.next(now: milliseconds(30)).map(\.payload) == 1)
        #expect(queue.next(now: milliseconds(30)) == nil)
        #expect(queue.underWayCount == 2)
    }

    @Test func `what fails is tried again after growing pauses, and forgotten after the last try`() {
        var queue = queue()
        queue.add("task", 1, due: milliseconds(0), now: milliseconds(0))
        var now: Int64 = 0
        for pause: Int64 in [200, 300] {
            #expect(queue.next(now: milliseconds(now)) != nil)
            queue.failed("task", jitter: 0.5, now: milliseconds(now))
            #expect(queue.next(now: milliseconds(now + pause - 1)) == nil)
            now += pause
        }
        #expect(queue.next(now: milliseconds(now)) != nil)
        queue.failed("task", jitter: 0.5, now: milliseconds(now))
        #expect(queue.count == 0)
    }

    @Test func `what is done rests before it is added again`() {
        var queue = queue()
        queue.add("task", 1, due: milliseconds(0), now: milliseconds(0))
        _ = queue.next(now: milliseconds(0))
        queue.done("task", rest: .milliseconds(50), now: milliseconds(0))
        #expect(queue.add("task", 1, due: milliseconds(49), now: milliseconds(49)) == false)
        #expect(queue.add("task", 1, due: milliseconds(50), now: milliseconds(50)) == true)
    }

    @Test func `what is postponed is due again later, as if it had not been tried`() {
        var queue = queue()
        queue.add("task", 1, due: milliseconds(0), now: milliseconds(0))
        for round: Int64 in 0..<9 {
            #expect(queue.next(now: milliseconds(round * 50)) != nil)
            queue.postponed("task", due: milliseconds(round * 50 + 50))
            #expect(queue.next(now: milliseconds(round * 50 + 49)) == nil)
        }
        #expect(queue.count == 1 && queue.underWayCount == 0)
    }

    @Test func `no more tasks wait than may`() {
        var queue = queue()
        for number in 0..<10 { queue.add("\(number)", number, due: milliseconds(0), now: milliseconds(0)) }
        #expect(queue.count == 3)
    }

    @Test func `what can wait leaves places to what cannot`() {
        var queue = queue()
        #expect(queue.add("release", 1, due: milliseconds(0), sparing: 2, now: milliseconds(0)) == true)
        #expect(queue.add("another", 1, due: milliseconds(0), sparing: 2, now: milliseconds(0)) == false)
        #expect(queue.add("fetch", 1, due: milliseconds(0), now: milliseconds(0)) == true)
    }
}
