import EngineCore
import Hummingbird
import NIOCore
import RegionForwarding

extension PeerResponder {
    /// Runs the call while its answer is sent, a section for each part of the result. It is cancelled when the sender resets the stream
    /// or loses its connection, and waits where the sender reads no further.
    func streamedBody(
        of call: InvocationRequest, _ results: ResultStream, _ identity: VersionIdentity, on stream: any Channel
    ) -> ResponseBody {
        let services = services
        stream.closeFuture.whenComplete { _ in results.abandon() }
        return ResponseBody { writer in
            async let run: Void = Self.run(call, into: results, identity, services)
            var hasBegun = false
            var isWhole = false
            while let part = await results.next() {
                try await writer.write(contentsOf: try StreamedAnswer.sections(of: part, hasBegun: hasBegun))
                try await stream.keepPace()
                switch part {
                case .head: hasBegun = true
                case .bytes: break
                case .end: isWhole = true
                }
            }
            // What has not ended is cancelled here, and waited for.
            guard isWhole else { throw CancellationError() }
            await run
            try await writer.finish(nil)
        }
    }

    private static func run(
        _ call: InvocationRequest, into results: ResultStream, _ identity: VersionIdentity, _ services: PeerServices
    ) async {
        do throws(InvocationError) {
            let result = try await services.invoke(call)
            services.reports?.answered(identity, result.record)
            results.end(.success(result))
        } catch {
            results.end(.failure(error))
        }
    }
}
