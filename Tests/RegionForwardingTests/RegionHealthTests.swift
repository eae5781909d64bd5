import EngineCore
import Testing

@testable import RegionForwarding

@Suite struct RegionHealthTests {
    static let backoff = Duration.milliseconds(250)...Duration.seconds(10)
    static let start = EngineInstant(nanoseconds: 1_000_000_000)

    private func begins(_ health: inout RegionHealth, _ now: EngineInstant) -> Bool { passage(&health, now) != .refused }

    private func passage(_ health: inout RegionHealth, _ now: EngineInstant) -> RegionHealth.Passage {
        health.begin(now: now, showMax: .seconds(5))
    }

    @Test func `PLACE-14 a region is passed over after a failure until its time has passed`() {
        var health = RegionHealth()
        #expect(health.isReachable(now: Self.start))
        health.failed(now: Self.start, jitter: 0.5, backoff: Self.backoff)
        #expect(!health.isReachable(now: Self.start + .milliseconds(249)))
        #expect(health.isReachable(now: Self.start + .milliseconds(250)))
    }

    @Test func `a success brings it back at once and forgets the failures`() {
        var health = RegionHealth()
        for _ in 0..<5 { health.failed(now: Self.start, jitter: 0.5, backoff: Self.backoff) }
        health.succeeded()
        #expect(health.isReachable(now: Self.start))
        health.failed(now: Self.start, jitter: 0.5, backoff: Self.backoff)
        #expect(health.isReachable(now: Self.start + .milliseconds(250)))
    }

    @Test(arguments: [(1, 250), (2, 500), (3, 1000), (6, 8000), (7, 10_000), (1000, 10_000)])
    func `each failure doubles the time out, up to the limit`(failures: Int, milliseconds: Int) {
        var health = RegionHealth()
        for _ in 0..<failures { health.failed(now: Self.start, jitter: 0.5, backoff: Self.backoff) }
        #expect(!health.isReachable(now: Self.start + .milliseconds(milliseconds - 1)))
        #expect(health.isReachable(now: Self.start + .milliseconds(milliseconds)))
    }

    @Test(arguments: [(0.0, 200), (1.0, 300)])
    func `the time out is varied by a fifth`(jitter: Double, milliseconds: Int) {
        var health = RegionHealth()
        health.failed(now: Self.start, jitter: jitter, backoff: Self.backoff)
        #expect(!health.isReachable(now: Self.start + .milliseconds(milliseconds - 1)))
        #expect(health.isReachable(now: Self.start + .milliseconds(milliseconds + 1)))
    }

    @Test func `PLACE-14 when its time has passed one call shows whether the region is back, and the others are kept away`() {
        var health = RegionHealth()
        let later = Self.start + .seconds(1)
        health.failed(now: Self.start, jitter: 0.5, backoff: Self.backoff)
        #expect(begins(&health, later))
        #expect(!health.isReachable(now: later))
        #expect(!begins(&health, later))
        health.failed(now: later, jitter: 0.5, backoff: Self.backoff)
        #expect(!health.isReachable(now: later + .milliseconds(499)))
        #expect(begins(&health, later + .milliseconds(500)))
        health.accepted()
        #expect(health.circuit == .closed)
        for _ in 0..<2 { #expect(begins(&health, later)) }
    }

    @Test func `a trial that shows nothing, or shows it too late, makes way for the next`() {
        var health = RegionHealth()
        let later = Self.start + .seconds(1)
        health.failed(now: Self.start, jitter: 0.5, backoff: Self.backoff)
        #expect(passage(&health, later) == .trial(1))
        health.ended(trial: 1, now: later)
        #expect(passage(&health, later) == .trial(2))
        #expect(!begins(&health, later + .milliseconds(4999)))
        #expect(passage(&health, later + .seconds(5)) == .trial(3))
    }

    @Test func `PLACE-14 at a half open circuit only the end of the trial under way lets another in`() {
        var health = RegionHealth()
        let later = Self.start + .seconds(1)
        // A call from before the failure: its end is nobody's.
        #expect(passage(&health, Self.start) == .free)
        health.failed(now: Self.start, jitter: 0.5, backoff: Self.backoff)
        #expect(passage(&health, Self.start) == .free)
        #expect(passage(&health, later) == .trial(1))
        // The first stays out for too long, and ends while the second is under way.
        #expect(passage(&health, later + .seconds(5)) == .trial(2))
        health.ended(trial: 1, now: later + .seconds(6))
        #expect(health.circuit == .halfOpen(trial: 2, until: later + .seconds(10)))
        #expect(!begins(&health, later + .seconds(6)))
        health.ended(trial: 2, now: later + .seconds(6))
        #expect(passage(&health, later + .seconds(6)) == .trial(3))
        // The end of one that has shown something changes nothing.
        health.failed(now: later + .seconds(6), jitter: 0.5, backoff: Self.backoff)
        health.ended(trial: 3, now: later + .seconds(6))
        #expect(!health.isReachable(now: later + .seconds(6)))
        health.succeeded()
        health.ended(trial: 3, now: later + .seconds(6))
        #expect(health.circuit == .closed)
    }

    @Test func `PLACE-14 a refusal for lack of capacity is no failure, lasts longer each time, and ends with an accepted call`() {
        var health = RegionHealth()
        for milliseconds in [250, 500] {
            health.refused(now: Self.start, jitter: 0.5, backoff: Self.backoff)
            #expect(health.isReachable(now: Self.start))
            #expect(health.isSaturated(now: Self.start + .milliseconds(milliseconds - 1)))
            #expect(!health.isSaturated(now: Self.start + .milliseconds(milliseconds)))
        }
        // That it answers a probe does not mean that it has room.
        health.succeeded()
        #expect(health.isSaturated(now: Self.start))
        health.accepted()
        #expect(!health.isSaturated(now: Self.start))
    }
}
