import EngineCore
import NIOCore
import RegionForwarding
import Synchronization
import Testing

/// Results that are streamed from a real region to a real client of it, on the loopback.
@Suite(.timeLimit(.minutes(1))) struct StreamingTests {
    static func request() throws -> (InvocationRequest, ResultStream) {
        var request = try Fleet.request()
        let results = ResultStream()
        request.results = results
        return (request, results)
    }

    /// The stream of a region's call; what is asked for is one.
    static func stream(_ request: InvocationRequest) throws(InvocationError) -> ResultStream {
        guard let results = request.results else { throw InvocationError(.internalFailure, "No stream is wanted.") }
        return results
    }

    @Test func `PLACE-21 each of ten parts is seen before the next one is made`() async throws {
        let (seen, note) = AsyncStream<Void>.makeStream()
        let handler: TestRegion.Handler = { request throws(InvocationError) in
            let results = try Self.stream(request)
            results.begin(contentType: nil)
            var turns = seen.makeAsyncIterator()
            for number in 0..<10 {
                _ = await results.write(ByteBuffer(string: "\(number)"))
                // Until the client says that it has seen it.
                _ = await turns.next()
            }
            return .success(ByteBuffer())
        }
        try await withForwarding(handler: handler) { client, _ in
            let (request, results) = try Self.request()
            async let answer = client.forward(request, reason: .uncommon)
            guard case .head? = await results.next() else { throw CancellationError() }
            for number in 0..<10 {
                guard case .bytes(let bytes)? = await results.next() else { throw CancellationError() }
                #expect(String(buffer: bytes) == "\(number)")
                note.yield()
            }
            #expect(try await answer.result.outcome.payload.readableBytes == 0)
        }
    }

    @Test func `PLACE-21 a client that does not read stops the function`() async throws {
        let piece = ByteBuffer(repeating: 7, count: 64 << 10)
        let made = Mutex(0)
        // More than the way between the two can hold.
        let whole = 1024
        let handler: TestRegion.Handler = { request throws(InvocationError) in
            let results = try Self.stream(request)
            results.begin(contentType: nil)
            for _ in 0..<whole {
                guard await results.write(piece) == .goOn else { break }
                made.withLock { $0 += 1 }
            }
            return .success(ByteBuffer())
        }
        try await withForwarding(handler: handler) { client, _ in
            let (request, results) = try Self.request()
            async let answer = client.forward(request, reason: .uncommon)
            guard case .head? = await results.next(), case .bytes(let first)? = await results.next() else { throw CancellationError() }
            #expect(made.withLock { $0 } < whole)
            var byteCount = first.readableBytes
            while byteCount < whole * piece.readableBytes, case .bytes(let bytes)? = await results.next() {
                byteCount += bytes.readableBytes
            }
            #expect(byteCount == whole * piece.readableBytes)
            _ = try await answer
            #expect(made.withLock { $0 } == whole)
        }
    }

    @Test func `PLACE-21 a client that goes away cancels the run in the region`() async throws {
        let ended = Signal()
        let handler: TestRegion.Handler = { request throws(InvocationError) in
            let results = try Self.stream(request)
            results.begin(contentType: nil)
            await Signal().wait()
            ended.fire()
            throw InvocationError(.aborted, "The client has gone.")
        }
        try await withForwarding(handler: handler) { client, _ in
            let (request, results) = try Self.request()
            await withTaskGroup(of: InvocationError.Code?.self) { group in
                group.addTask {
                    do throws(InvocationError) {
                        _ = try await client.forward(request, reason: .uncommon)
                        return nil
                    } catch {
                        return error.code
                    }
                }
                guard case .head? = await results.next() else { return }
                group.cancelAll()
                #expect(await group.next() == .aborted)
            }
            await ended.wait()
        }
    }

    @Test func `PLACE-16 a call that fails midway is not surely not started, whatever the region says`() async throws {
        let handler: TestRegion.Handler = { request throws(InvocationError) in
            let results = try Self.stream(request)
            results.begin(contentType: nil)
            _ = await results.write(ByteBuffer(string: "half"))
            throw InvocationError(.overloaded, "It says that it has not begun.")
        }
        try await withForwarding(handler: handler) { client, _ in
            let (request, _) = try Self.request()
            do throws(InvocationError) {
                _ = try await client.forward(request, reason: .uncommon)
                Issue.record("It was answered.")
            } catch {
                #expect(error.code == .regionFailed)
                #expect(error.stage == .midResult)
                #expect(!error.surelyNotStarted)
            }
        }
    }

    @Test func `PLACE-16 a refusal of a streamed call is one of any call`() async throws {
        let handler: TestRegion.Handler = { _ throws(InvocationError) in throw InvocationError(.overloaded, "Full.") }
        try await withForwarding(handler: handler) { client, _ in
            let (request, results) = try Self.request()
            do throws(InvocationError) {
                _ = try await client.forward(request, reason: .uncommon)
                Issue.record("It was answered.")
            } catch {
                #expect(error.code == .overloaded)
                #expect(!results.hasBegun)
            }
        }
    }

    @Test func `PLACE-21 a result that is not streamed comes whole`() async throws {
        try await withForwarding(handler: { _ in .success(ByteBuffer(string: "[1]")) }) { client, region in
            let (request, results) = try Self.request()
            let answer = try await client.forward(request, reason: .uncommon)
            #expect(answer.result.outcome.payload == ByteBuffer(string: "[1]"))
            #expect(!results.hasBegun)
            #expect(region.now.requests.first?.results != nil)
        }
    }
}
