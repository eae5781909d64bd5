import EngineCore
import Frontend
import NIOCore
import RegionForwarding
import Synchronization
import Testing

/// A real client forwards to a real server, with certificates, on the loopback.
@Suite(.timeLimit(.minutes(1))) struct ForwardingTests {
    /// Bytes of every value in no order.
    static func noise(_ count: Int) -> ByteBuffer {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return ByteBuffer(
            bytes: (0..<count).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 56)
            })
    }

    @Test(arguments: [1, 1 << 20, ForwardWire.payloadBytesMax])
    func `PLACE-03 a payload reaches the region and its result comes back byte for byte`(count: Int) async throws {
        let payload = Self.noise(count)
        try await withForwarding { client, region in
            let answer = try await client.forward(try Fleet.request(payload), reason: .uncommon)
            guard case .success(let result) = answer.result.outcome else {
                Issue.record("\(answer.result.outcome)")
                return
            }
            #expect(result == payload)
            #expect(region.now.requests.first?.payload == payload)
        }
    }

    @Test func `PLACE-15 a function error, the log and the record come back as from a local run`() async throws {
        let object = ByteBuffer(string: "{\"errorMessage\":\"no\",\"errorType\":\"ValueError\"}")
        try await withForwarding(handler: { _ in .functionError(object) }) { client, region in
            let request = try Fleet.request()
            let answer = try await client.forward(request, reason: .noCapacity)
            guard case .functionError(let error) = answer.result.outcome else {
                Issue.record("\(answer.result.outcome)")
                return
            }
            #expect(error == object)
            #expect(answer.result.log.text == ByteBuffer(string: "START RequestId: \(request.id)\n"))
            #expect(answer.result.log.droppedByteCount == 2)
            #expect(answer.result.record.requestID == request.id)
            #expect(answer.remote.node == "region-1")
            #expect(answer.remote.startLevel == .warm)
        }
    }

    @Test func `PLACE-19 the region gets the same call with what is left of its time`() async throws {
        try await withForwarding { client, region in
            let request = try Fleet.request(deadline: .seconds(20))
            _ = try await client.forward(request, reason: .uncommon)
            let there = try #require(region.now.requests.first)
            #expect(there.id == request.id)
            #expect(there.function.key == request.function.key)
            #expect(there.function.revision == request.function.revision)
            #expect(there.invokedARN == request.invokedARN)
            #expect(there.clientContext == request.clientContext)
            #expect(there.traceID == request.traceID)
            #expect(there.origin == .peer(node: "pop-1", hops: 1))
            let left = there.deadline - there.arrival
            #expect(left < request.deadline - request.arrival)
            #expect(left > .seconds(10))
        }
    }

    @Test(arguments: [
        InvocationError.Code.overloaded, .draining, .startFailed, .codeUnavailable, .deadlineExceeded, .internalFailure,
    ])
    func `PLACE-16 what the region throws is thrown here`(code: InvocationError.Code) async throws {
        try await withForwarding(handler: { _ throws(InvocationError) in throw InvocationError(code, "because") }) {
            client, region in
            await #expect(throws: InvocationError(code, "because")) {
                try await client.forward(try Fleet.request(), reason: .uncommon)
            }
        }
    }

    @Test func `a draining region takes no call and is passed over`() async throws {
        try await withForwarding { client, region in
            region.change { $0.isDraining = true }
            await #expect { try await client.forward(try Fleet.request(), reason: .uncommon) } throws: {
                Self.code($0) == .draining
            }
            #expect(!client.isReachable())
            #expect(region.now.requests.isEmpty)
        }
    }

    @Test func `a version the region lacks is sent once for 50 calls at a time, and all of them run`() async throws {
        let packages = Atomic(0)
        try await withForwarding(
            holding: [],
            package: { _ in
                packages.add(1, ordering: .relaxed)
                return ByteBuffer(bytes: Fleet.bundle)
            }
        ) { client, region in
            let version = try Fleet.version()
            try await withThrowingTaskGroup { group in
                for _ in 0..<50 {
                    group.addTask { _ = try await client.forward(try Fleet.request(of: version), reason: .uncommon) }
                }
                try await group.waitForAll()
            }
            #expect(region.now.holdCount == 1)
            #expect(region.now.uploadCount == 1)
            #expect(region.now.requests.count == 50)
            #expect(packages.load(ordering: .relaxed) == 1)

            // A second version with the same package: only the version is sent.
            let next = try Fleet.version(revision: "11111111-75b1-4b2e-9d2f-6a2f0c2f8f11")
            _ = try await client.forward(try Fleet.request(of: next), reason: .uncommon)
            #expect(region.now.holdCount == 2)
            #expect(region.now.uploadCount == 1)
        }
    }

    @Test func `a region that is sent a version runs it with the same sandbox policy`() async throws {
        let policy = SandboxPolicy(
            egress: try EgressPolicy(["api.example.com:443", "10.0.0.0/8:5432"]), systemCalls: ["read", "write", "exit_group"],
            isolation: .exec)
        try await withForwarding(holding: []) { client, region in
            let version = try Fleet.version(sandbox: policy)
            _ = try await client.forward(try Fleet.request(of: version), reason: .uncommon)
            #expect(region.now.holdCount == 1)
            #expect(region.now.requests.map(\.function.sandbox) == [policy])
        }
    }

    @Test func `a region takes a version whose policy is as large as it may be`() async throws {
        let label = String(repeating: "a", count: 61)
        let names = (10..<74).map { "*.\([label, label, label].joined(separator: ".")).\($0).example:1000-60000" }
        let policy = SandboxPolicy(
            egress: try EgressPolicy(names), systemCalls: (100..<612).map { "\($0)" + String(repeating: "a", count: 60) })
        try await withForwarding(holding: []) { client, region in
            _ = try await client.forward(try Fleet.request(of: try Fleet.version(sandbox: policy)), reason: .uncommon)
            #expect(region.now.requests.map(\.function.sandbox) == [policy])
        }
    }

    @Test func `a region that does not take the code surely ran nothing`() async throws {
        try await withForwarding(holding: [], package: { _ in ByteBuffer(string: "damaged") }) { client, region in
            await #expect {
                try await client.forward(try Fleet.request(), reason: .uncommon)
            } throws: {
                Self.code($0) == .overloaded && "\($0)".contains("not those of the digest")
            }
            #expect(region.now.requests.isEmpty)
        }
    }

    @Test func `PLACE-18 a call that has been forwarded is not forwarded again, by its sender or its receiver`() async throws {
        try await Fleet.with { fleet in
            try await TestRegion.with(fleet) { region in
                let again = try Fleet.request(origin: .peer(node: "pop-2", hops: 1))
                try await fleet.withClient(port: region.now.port) { client in
                    await #expect { try await client.forward(again, reason: .uncommon) } throws: { Self.code($0) == .hopLimit }
                }
                var lax = Fleet.patient
                lax.hopsMax = 9
                try await fleet.withClient(port: region.now.port, configuration: lax) { client in
                    await #expect { try await client.forward(again, reason: .uncommon) } throws: { Self.code($0) == .hopLimit }
                }
                #expect(region.now.requests.isEmpty)
            }
        }
    }

    @Test func `when all streams are in use a call is refused at once and the region stays reachable`() async throws {
        var narrow = Fleet.patient
        narrow.connectionsMax = 1
        narrow.streamsPerConnection = 1
        let (started, leave) = (Signal(), Signal())
        try await withForwarding(
            configuration: narrow,
            handler: { request in
                started.fire()
                await leave.wait()
                return .success(request.payload)
            }
        ) { client, _ in
            try await withThrowingTaskGroup { group in
                group.addTask { _ = try await client.forward(try Fleet.request(), reason: .uncommon) }
                await started.wait()
                await #expect { try await client.forward(try Fleet.request(), reason: .uncommon) } throws: {
                    Self.code($0) == .overloaded
                }
                #expect(client.isReachable())
                leave.fire()
                try await group.waitForAll()
            }
        }
    }

    static func code(_ error: any Error) -> InvocationError.Code? { (error as? InvocationError)?.code }

    @Test func `a version whose package has been removed from the region is supplied again`() async throws {
        try await withForwarding { client, region in
            _ = try await client.forward(try Fleet.request(), reason: .uncommon)
            #expect(region.now.uploadCount == 0)
            region.change { $0.bundles = [] }
            _ = try await client.forward(try Fleet.request(), reason: .uncommon)
            #expect(region.now.uploadCount == 1)
            #expect(region.now.requests.count == 2)
        }
    }
}
