import EngineCore
import Frontend
import NIOCore
import RegionForwarding
import Testing

/// The four points at which a region can be lost, and the client that goes away.
@Suite(.timeLimit(.minutes(1))) struct RegionLossTests {
    /// A handler that runs until it is cancelled.
    static func endless(started: Signal, cancelled: Signal) -> TestRegion.Handler {
        { _ throws(InvocationError) in
            started.fire()
            await Signal().wait()
            cancelled.fire()
            throw InvocationError(.aborted, "cancelled")
        }
    }

    /// Looks until it is so, or the test's time is over: only who asks learns of that.
    private func until(_ condition: () -> Bool) async throws {
        while !condition() {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    static func code(_ error: any Error) -> InvocationError.Code? { (error as? InvocationError)?.code }

    @Test func `PLACE-16 a region that is gone surely did not start the call, and is passed over`() async throws {
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet) { region in
                try await Relay.with(to: region.now.port) { relay in
                    relay.cut()
                    while await Relay.accepts(relay.port) { try Task.checkCancellation() }
                    try await fleet.withClient(port: relay.port) { client in
                        #expect(client.isReachable())
                        await #expect {
                            try await client.forward(try Fleet.request(), reason: .uncommon)
                        } throws: {
                            let error = $0 as? InvocationError
                            return error?.code == .overloaded && error?.surelyNotStarted == true && "\($0)".contains("region-1")
                        }
                        #expect(!client.isReachable())
                        #expect(client.isReachable(now: .now() + .seconds(20)))
                        #expect(region.now.requests.isEmpty)
                    }
                }
            }
        }
    }

    @Test func `PLACE-16 a connection lost between two calls does not start the second, whatever the sender must assume`()
        async throws
    {
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet) { region in
                try await Relay.with(to: region.now.port) { relay in
                    try await fleet.withClient(port: relay.port) { client in
                        _ = try await client.forward(try Fleet.request(), reason: .uncommon)
                        relay.cut()
                        // Until the loss is noticed here, a call may still be handed to the lost connection.
                        while client.isReachable() {
                            try Task.checkCancellation()
                            await #expect {
                                try await client.forward(try Fleet.request(), reason: .uncommon)
                            } throws: {
                                [.regionFailed, .overloaded].contains(Self.code($0))
                            }
                        }
                        #expect(region.now.requests.count == 1)
                    }
                }
            }
        }
    }

    @Test func `PLACE-16 PLACE-17 a region lost while it runs the call may have run it; the run is cancelled`() async throws {
        let (started, cancelled) = (Signal(), Signal())
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet, handler: Self.endless(started: started, cancelled: cancelled)) { region in
                try await Relay.with(to: region.now.port) { relay in
                    try await fleet.withClient(port: relay.port) { client in
                        let call = Task { try await client.forward(try Fleet.request(), reason: .uncommon) }
                        await started.wait()
                        relay.cut()
                        await #expect { try await call.value } throws: { Self.code($0) == .regionFailed }
                        await cancelled.wait()
                    }
                }
            }
        }
    }

    @Test func `PLACE-16 a region lost in the middle of its answer may have run the call`() async throws {
        let large = ByteBuffer(repeating: 1, count: 4 << 20)
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet, handler: { _ in .success(large) }) { region in
                try await Relay.with(to: region.now.port, answerBytesMax: 1 << 20) { relay in
                    try await fleet.withClient(port: relay.port) { client in
                        await #expect {
                            try await client.forward(try Fleet.request(), reason: .uncommon)
                        } throws: {
                            Self.code($0) == .regionFailed
                        }
                        #expect(region.now.requests.count == 1)
                    }
                }
            }
        }
    }

    @Test func `a region that does not answer in the call's time may have run it; the run is cancelled`() async throws {
        var impatient = Fleet.patient
        impatient.answerMargin = .milliseconds(50)
        impatient.connectionsMax = 1
        let (started, cancelled) = (Signal(), Signal())
        let endless = Self.endless(started: started, cancelled: cancelled)
        let handler: TestRegion.Handler = { request throws(InvocationError) in
            request.payload == ByteBuffer(string: "1") ? .success(request.payload) : try await endless(request)
        }
        try await withForwarding(configuration: impatient, handler: handler) { client, _ in
            // The first call makes the connection, so that the time of the second is spent in the region.
            _ = try await client.forward(try Fleet.request(ByteBuffer(string: "1")), reason: .uncommon)
            await #expect {
                try await client.forward(try Fleet.request(deadline: .seconds(2)), reason: .uncommon)
            } throws: {
                Self.code($0) == .regionFailed
            }
            await cancelled.wait()
        }
    }

    @Test func `PLACE-21 cancelling the call cancels its run in the region`() async throws {
        let (started, cancelled) = (Signal(), Signal())
        try await withForwarding(handler: Self.endless(started: started, cancelled: cancelled)) { client, _ in
            let call = Task { try await client.forward(try Fleet.request(), reason: .uncommon) }
            await started.wait()
            call.cancel()
            await #expect { try await call.value } throws: { Self.code($0) == .aborted }
            await cancelled.wait()
            #expect(client.isReachable())
        }
    }

    @Test func `a region that shuts down ends the call it runs and takes no other`() async throws {
        let (started, leave) = (Signal(), Signal())
        try await withForwarding(
            handler: { request in
                started.fire()
                await leave.wait()
                return .success(request.payload)
            }
        ) { client, region in
            let call = Task { try await client.forward(try Fleet.request(), reason: .uncommon) }
            await started.wait()
            region.change { $0.isDraining = true }
            await #expect { try await client.forward(try Fleet.request(), reason: .uncommon) } throws: {
                Self.code($0) == .draining
            }
            await region.now.shutDown()
            while await Relay.accepts(region.now.port) { try Task.checkCancellation() }
            leave.fire()
            let answer = try await call.value
            #expect(answer.result.outcome.payload == ByteBuffer(string: "{}"))
            #expect(region.now.requests.count == 1)
        }
    }

    @Test func `a call without time is not sent`() async throws {
        try await withForwarding { client, region in
            await #expect {
                try await client.forward(try Fleet.request(deadline: .zero), reason: .uncommon)
            } throws: {
                Self.code($0) == .deadlineExceeded
            }
            #expect(region.now.requests.isEmpty)
        }
    }

    @Test func `the directory names reachable regions in order, passes over a draining one, and comes back to it`() async throws {
        var quick = Fleet.patient
        quick.probeInterval = .milliseconds(10)
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet) { first in
                try await TestRegion.with(fleet, name: "region-2") { second in
                    let directory = try RegionDirectory(
                        peers: [second, first].map { RegionPeer(name: $0.name, url: "https://127.0.0.1:\($0.now.port)") },
                        identity: try fleet.identity("pop-1"), configuration: quick, logger: Fleet.logger,
                        package: { _ in ByteBuffer() })
                    try await withThrowingTaskGroup { group in
                        group.addTask { await directory.run() }
                        #expect(directory.reachableRegions() == ["region-2", "region-1"])
                        second.change { $0.isDraining = true }
                        try await until { directory.reachableRegions() == ["region-1"] }
                        second.change { $0.isDraining = false }
                        try await until { directory.reachableRegions() == ["region-2", "region-1"] }
                        try await until { directory.states().allSatisfy { $0.health != nil && $0.roundTrip != nil } }
                        let states = directory.states()
                        #expect(states.map(\.health?.node) == ["region-2", "region-1"])
                        #expect(states.allSatisfy { $0.health?.load == 0.25 && $0.health?.role == .region && $0.roundTrip != nil })
                        #expect(directory.client("region-1")?.name == "region-1")
                        #expect(directory.client("region-9") == nil)
                        group.cancelAll()
                    }
                }
            }
        }
    }
}
