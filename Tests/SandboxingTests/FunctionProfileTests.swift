import EngineCore
import Testing

@testable import Sandboxing

@Suite struct FunctionProfileTests {
    @Test func `few calls have a plain mean`() {
        var profile = FunctionProfile()
        for milliseconds in [10, 20, 60] { profile.record(duration: .milliseconds(milliseconds), memoryPeak: nil) }
        #expect(profile.calls == 3)
        #expect(abs((profile.duration - .milliseconds(30)).wholeNanoseconds) < 10)
        #expect(profile.memoryPeak == .zero)
    }

    @Test func `a change shows after some calls, and old ones fade`() {
        var profile = FunctionProfile()
        for _ in 0..<1000 { profile.record(duration: .milliseconds(10), memoryPeak: .mebibytes(100)) }
        for _ in 0..<11 { profile.record(duration: .milliseconds(110), memoryPeak: .mebibytes(100)) }
        #expect(profile.duration > .milliseconds(55) && profile.duration < .milliseconds(65))
        for _ in 0..<200 { profile.record(duration: .milliseconds(110), memoryPeak: .mebibytes(100)) }
        #expect(profile.duration > .milliseconds(109))
    }

    @Test func `the peak follows a higher one at once and a lower one slowly`() {
        var profile = FunctionProfile()
        profile.record(duration: .zero, memoryPeak: .mebibytes(50))
        profile.record(duration: .zero, memoryPeak: .mebibytes(200))
        #expect(profile.memoryPeak == .mebibytes(200))
        profile.record(duration: .zero, memoryPeak: .mebibytes(72))
        #expect(profile.memoryPeak == .mebibytes(198))
        for _ in 0..<1000 { profile.record(duration: .zero, memoryPeak: .mebibytes(72)) }
        #expect(profile.memoryPeak < .mebibytes(73))
    }

    @Test func `processor time is divided among the calls it belongs to`() {
        var profile = FunctionProfile()
        profile.record(cpuTime: .milliseconds(40), ofCalls: 4)
        #expect(profile.cpuTime == .milliseconds(10))
        profile.record(cpuTime: .milliseconds(30), ofCalls: 1)
        #expect(profile.cpuTime == .milliseconds(14))
        profile.record(cpuTime: .milliseconds(200), ofCalls: 100)
        #expect(profile.cpuTime == .milliseconds(2))
        profile.record(cpuTime: .seconds(1), ofCalls: 0)
        #expect(profile.cpuTime == .milliseconds(2))
    }

    @Test func `the table forgets who was used longest ago, and keeps within its limit`() throws {
        let profiles = FunctionProfiles(limit: 16)
        let account = try #require(AccountID("123456789012"))
        let keys = (0..<40).map { FunctionKey(account: account, region: "eu-central-1", name: "f\($0)") }
        for (index, key) in keys.enumerated() {
            let now = EngineInstant(nanoseconds: Int64(index))
            profiles.entry(of: key, now: now).record(duration: .milliseconds(1), memoryPeak: nil, now: now)
            // The first is always in use.
            profiles.entry(of: keys[0], now: now).record(duration: .milliseconds(1), memoryPeak: nil, now: now)
        }
        #expect(profiles.profile(of: keys[0])?.calls == 41)
        #expect(profiles.profile(of: keys[39])?.calls == 1)
        #expect(profiles.profile(of: keys[1]) == nil)
        #expect(keys.count { profiles.profile(of: $0) != nil } <= 16)
        #expect(keys.count { profiles.profile(of: $0) != nil } >= 14)
    }

    @Test func `a function that has not been called has no profile`() throws {
        let profiles = FunctionProfiles()
        let key = FunctionKey(account: try #require(AccountID("123456789012")), region: "eu-central-1", name: "f")
        _ = profiles.entry(of: key)
        #expect(profiles.profile(of: key) == nil)
    }
}
