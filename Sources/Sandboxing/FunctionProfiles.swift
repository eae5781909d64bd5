internal import EngineCore
internal import Synchronization

/// The measured profiles of this node's functions.
///
/// A container looks its function's up once and then feeds it directly, so a call costs no search. Over the limit, the eighth that
/// was used longest ago is forgotten: seldom work, for the price of one sort.
final class FunctionProfiles: Sendable {
    /// Functions that are remembered. Reached: see above; a forgotten one begins anew.
    static let functionsMax = 4096

    /// One function's, shared by its containers.
    final class Entry: Sendable {
        private let state = Mutex((profile: FunctionProfile(), used: EngineInstant(nanoseconds: 0)))

        var profile: FunctionProfile { state.withLock { $0.profile } }
        fileprivate var used: EngineInstant { state.withLock { $0.used } }

        fileprivate func touch(_ now: EngineInstant) { state.withLock { $0.used = now } }

        func record(duration: Duration, memoryPeak: ByteCount?, now: EngineInstant) {
            state.withLock { state in
                state.profile.record(duration: duration, memoryPeak: memoryPeak)
                state.used = now
            }
        }

        func record(cpuTime: Duration, ofCalls count: Int) {
            state.withLock { $0.profile.record(cpuTime: cpuTime, ofCalls: count) }
        }
    }

    private let limit: Int
    private let entries = Mutex<[FunctionKey: Entry]>([:])

    init(limit: Int = functionsMax) { self.limit = limit }

    /// The function's entry, made if there is none. O(1) amortised.
    func entry(of function: FunctionKey, now: EngineInstant = .now()) -> Entry {
        entries.withLock { entries in
            if let entry = entries[function] {
                entry.touch(now)
                return entry
            }
            if entries.count >= limit { Self.forget(max(1, limit / 8), in: &entries) }
            let entry = Entry()
            entry.touch(now)
            entries[function] = entry
            return entry
        }
    }

    /// - Returns: `nil` for a function that has not run here, or not for long. O(1).
    func profile(of function: FunctionKey) -> FunctionProfile? {
        guard let profile = entries.withLock({ $0[function] })?.profile, profile.calls > 0 else { return nil }
        return profile
    }

    private static func forget(_ count: Int, in entries: inout [FunctionKey: Entry]) {
        // Read once each: containers go on using them meanwhile.
        let ages = entries.map { (key: $0.key, used: $0.value.used) }.sorted { $0.used < $1.used }
        for old in ages.prefix(count) { entries[old.key] = nil }
    }
}
