import EngineCore
import Synchronization
import Testing

@testable import RegionForwarding

@Suite(.timeLimit(.minutes(1))) struct VersionSupplyTests {
    static let later = EngineInstant.now() + .seconds(3600)

    /// Counts from any task.
    final class Counter: Sendable {
        private let count = Atomic(0)
        var value: Int { count.load(ordering: .relaxed) }
        func add() { count.add(1, ordering: .relaxed) }
    }

    /// A place where a supply stops until it is let on.
    final class Gate: Sendable {
        private let (entered, enter) = AsyncStream<Void>.makeStream()
        private let (opened, open_) = AsyncStream<Void>.makeStream()

        func pass() async {
            enter.yield()
            for await _ in opened { return }
        }
        func waitUntilEntered() async {
            for await _ in entered { return }
        }
        func open() { open_.yield() }
    }

    @Test func `many calls that miss a version supply it once`() async throws {
        let supply = VersionSupply(remembered: 8)
        let gate = Gate()
        let count = Counter()
        let asked = EngineInstant.now()
        try await withThrowingTaskGroup { group in
            for _ in 0..<100 {
                group.addTask {
                    try await supply.ensure("r", asked: asked, deadline: Self.later) { () async throws(InvocationError) in
                        count.add()
                        await gate.pass()
                    }
                }
            }
            await gate.waitUntilEntered()
            gate.open()
            try await group.waitForAll()
        }
        #expect(count.value == 1)

        // A call refused after that finds the region without the version again.
        try await supply.ensure("r", asked: .now(), deadline: Self.later) { () async throws(InvocationError) in count.add() }
        #expect(count.value == 2)
    }

    @Test func `a failure is told to all who waited, and the next call tries again`() async throws {
        let supply = VersionSupply(remembered: 8)
        let failure = InvocationError(.codeUnavailable, "gone")
        let asked = EngineInstant.now()
        let attempts = Counter()
        for expected in 1...2 {
            await #expect(throws: failure) {
                try await supply.ensure("r", asked: asked, deadline: Self.later) { () async throws(InvocationError) in
                    attempts.add()
                    throw failure
                }
            }
            #expect(attempts.value == expected)
        }
    }

    @Test func `when the first is cancelled another takes over`() async throws {
        let supply = VersionSupply(remembered: 8)
        let gate = Gate()
        let asked = EngineInstant.now()
        let second = Counter()
        let first = Task {
            try await supply.ensure("r", asked: asked, deadline: Self.later) { () async throws(InvocationError) in
                await gate.pass()
                throw InvocationError(.aborted, "cancelled")
            }
        }
        await gate.waitUntilEntered()
        async let next: Void = supply.ensure("r", asked: asked, deadline: Self.later) { () async throws(InvocationError) in
            second.add()
        }
        first.cancel()
        gate.open()
        try await next
        #expect(second.value == 1)
    }

    @Test func `a waiting call ends when it is cancelled or its time is up, and does not disturb the supply`() async throws {
        let supply = VersionSupply(remembered: 8)
        let gate = Gate()
        let asked = EngineInstant.now()
        async let first: Void = supply.ensure("r", asked: asked, deadline: Self.later) { () async throws(InvocationError) in
            await gate.pass()
        }
        await gate.waitUntilEntered()
        let waiting = Task {
            try await supply.ensure("r", asked: asked, deadline: Self.later) { () async throws(InvocationError) in
                Issue.record("It waits.")
            }
        }
        waiting.cancel()
        await #expect { try await waiting.value } throws: { ($0 as? InvocationError)?.code == .aborted }
        await #expect {
            try await supply.ensure("r", asked: asked, deadline: .now() + .milliseconds(1)) { () async throws(InvocationError) in
                Issue.record("It waits.")
            }
        } throws: { ($0 as? InvocationError)?.code == .deadlineExceeded }
        gate.open()
        try await first
    }

    @Test func `only so many supplies are remembered`() async throws {
        let supply = VersionSupply(remembered: 2)
        let asked = EngineInstant.now()
        let count = Counter()
        for revision in ["a", "b", "c", "c", "b", "a"] {
            try await supply.ensure(revision, asked: asked, deadline: Self.later) { () async throws(InvocationError) in
                count.add()
            }
        }
        #expect(count.value == 4)
    }
}
