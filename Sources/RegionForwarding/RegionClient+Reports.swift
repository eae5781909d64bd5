import EngineCore
import Logging
import NIOCore
import Synchronization

extension RegionClient {
    /// Reads the region's reports until the task is cancelled, and asks for them anew whenever they end.
    func followReports() async {
        var failures = 0
        var generation = identity.generation
        while !Task.isCancelled {
            let begin = EngineInstant.now()
            if generation != identity.generation {
                generation = identity.generation
                reports.withLock { $0.beginAnew() }
            }
            await readReports()
            // A stream that has told something was not a failure; its end is followed by the shortest pause.
            let hasTold = reports.withLock { $0.toldAt.map { $0 > begin } ?? false }
            failures = hasTold ? 0 : min(failures + 1, 20)
            let pause = min(configuration.backoffMin * (1 << failures), configuration.backoffMax)
            await rest(pause * Double.random(in: 0.8...1.2))
        }
    }

    /// Returns after `pause`, or soon after the region has come back: what is known of its warmth is void then.
    private func rest(_ pause: Duration) async {
        let end = EngineInstant.now() + pause
        let wasOut = !status.withLock { $0.health.circuit == .closed }
        while !Task.isCancelled, EngineInstant.now() < end {
            if wasOut, status.withLock({ $0.health.circuit == .closed }) { return }
            // Cancellation ends the sleep early; the loop's condition sees it.
            try? await Task.sleep(for: min(configuration.backoffMin, end - .now()))
        }
    }

    /// Reads one stream of reports to its end, or until it has been silent for too long.
    private func readReports() async {
        await withTaskGroup { group in
            group.addTask { await self.readStream() }
            group.addTask { await self.waitForSilence(since: .now()) }
            await group.next()
            group.cancelAll()
        }
    }

    private func readStream() async {
        let (epoch, sequence) = reports.withLock { ($0.epoch, $0.sequence) }
        let place = epoch.map { "?since=\(sequence)&epoch=\($0)" } ?? ""
        let lines = Mutex(LineSplitter(bytesMax: ForwardWire.documentBytesMax))
        do throws(Failure) {
            let headMax = configuration.connectTimeout + configuration.probeTimeout
            try await read(ForwardWire.reportsPath + place, fields: peerFields, headMax: headMax) { part in
                try lines.withLock { lines in
                    lines.append(part)
                    while let line = try lines.next() { try self.note(line: line) }
                }
            }
        } catch {
            if case .lost(let cause) = error {
                logger.debug("The reports of the region have ended.", metadata: ["error": "\(cause)"])
            }
        }
    }

    private func note(line: ByteBuffer) throws(ForwardingError) {
        let report = try RegionReport(line: line, of: name)
        reports.withLock { $0.note(report, now: .now()) }
    }

    /// Returns when no line has come for too long, or the task is cancelled.
    private func waitForSilence(since begin: EngineInstant) async {
        while !Task.isCancelled {
            let last = max(begin, reports.withLock { $0.toldAt } ?? begin)
            let left = configuration.reportSilenceMax - (EngineInstant.now() - last)
            guard left > .zero else { return }
            // Cancellation ends the sleep early; the loop's condition sees it.
            try? await Task.sleep(for: left)
        }
    }
}
