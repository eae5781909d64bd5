import EngineCore
import Frontend
import NIOCore
import RegionForwarding
import Testing

/// Forwarded calls that a region answers without a task.
@Suite(.timeLimit(.minutes(1))) struct PeerInvocationTests {
    @Test func `a call for which a container is idle is answered on the event loop, as the other way would`() async throws {
        try await withForwarding { client, region in
            region.change { $0.isWarm = true }
            for count in 1...3 {
                let payload = ByteBuffer(string: "{\"count\":\(count)}")
                let answer = try await client.forward(try Fleet.request(payload), reason: .uncommon)
                #expect(answer.result.outcome.payload == payload)
                #expect(answer.result.log.droppedByteCount == 2)
                #expect(answer.remote.node == "region-1")
            }
            #expect(region.now.warmCount == 3)
            #expect(region.now.requests.isEmpty)
            #expect(region.feed.report(since: 0).rows.map(\.calls) == [3])
        }
    }

    @Test func `large payloads, streams of results and refused calls go the other way`() async throws {
        try await withForwarding { client, region in
            region.change { $0.isWarm = true }
            let large = ByteBuffer(repeating: UInt8(ascii: " "), count: 300 << 10)
            let answer = try await client.forward(try Fleet.request(large), reason: .uncommon)
            #expect(answer.result.outcome.payload == large)
            region.change { $0.isDraining = true }
            await #expect { try await client.forward(try Fleet.request(), reason: .uncommon) } throws: {
                ($0 as? InvocationError)?.code == .draining
            }
            #expect(region.now.warmCount == 0)
        }
    }

    @Test func `PLACE-21 a call that is cancelled ends its run`() async throws {
        try await withForwarding { client, region in
            let ended = Signal()
            region.change { ($0.isWarm, $0.warmHangs) = (true, { ended.fire() }) }
            let call = Task { try await client.forward(try Fleet.request(), reason: .uncommon) }
            while region.now.warmCount == 0 {
                try Task.checkCancellation()
                await Task.yield()
            }
            call.cancel()
            await #expect { try await call.value } throws: { ($0 as? InvocationError)?.code == .aborted }
            await ended.wait()
        }
    }

    @Test func `more calls at once than one connection takes go on several`() async throws {
        var narrow = Fleet.patient
        (narrow.connectionsMax, narrow.streamsPerConnection) = (4, 2)
        let leave = Signal()
        try await withForwarding(
            configuration: narrow,
            handler: { request in
                await leave.wait()
                return .success(request.payload)
            }
        ) { client, region in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { _ = try await client.forward(try Fleet.request(), reason: .uncommon) } }
                while region.now.requests.count < 8 {
                    try Task.checkCancellation()
                    await Task.yield()
                }
                await #expect { try await client.forward(try Fleet.request(), reason: .uncommon) } throws: {
                    ($0 as? InvocationError)?.code == .overloaded
                }
                leave.fire()
                try await group.waitForAll()
            }
        }
    }
}
