import EngineCore
import HTTPTypes
import NIOCore
import Placement
import Synchronization

extension RegionClient {
    /// Whether the region has told of what it holds since it began.
    var hasTold: Bool { reports.withLock { $0.epoch != nil } }

    /// Whether the region tells that no call of the revision has come for `time`.
    func isQuiet(_ revision: String, for time: Duration, now: EngineInstant) -> Bool {
        reports.withLock { reports in
            guard reports.rows[revision]?.told.held == true else { return false }
            return reports.history(revision, now: now).map { $0.lastReceived >= time.inSeconds } ?? true
        }
    }

    /// Returns when the region holds the version: at once if it is known to, else when it has taken package and version.
    /// - Throws: `overloaded` when it does not take them; `deadlineExceeded`, `aborted`.
    func bring(_ version: PinnedVersion, until deadline: EngineInstant) async throws(InvocationError) {
        guard !reports.withLock({ $0.holds(version.revision) }) else { return }
        try await supply.ensure(version.revision, asked: .now(), deadline: deadline) { () async throws(InvocationError) in
            try await self.send(version, deadline: deadline)
        }
    }

    /// Lets the region drop a version that it has had no call of for `quiet`; it keeps it otherwise.
    /// - Returns: whether it does not hold it now.
    func release(_ version: PinnedVersion, quiet: Duration, until deadline: EngineInstant) async throws(InvocationError) -> Bool {
        guard reports.withLock({ $0.holds(version.revision) }) else { return true }
        var fields = VersionIdentity(version).fields
        fields[.waysideQuiet] = String(Int(quiet.wholeNanoseconds / 1_000_000))
        let answer = try await asking(.delete, ForwardWire.versionsPath, fields, answerBytesMax: ForwardWire.documentBytesMax, deadline)
        guard answer.status == 204 else { return false }
        reports.withLock { $0.showMissing(version.revision) }
        return true
    }

    /// The package of a version that this node has and the region holds. Its digest is for the caller to verify.
    /// - Throws: `versionNotHeld` when the region does not hold the version; `overloaded`, `deadlineExceeded`, `aborted`.
    func fetchPackage(of version: PinnedVersion, until deadline: EngineInstant) async throws(InvocationError) -> ByteBuffer {
        let answer = try await asking(
            .get, "\(ForwardWire.bundlesPath)/\(version.codeDigest)", VersionIdentity(version).fields,
            answerBytesMax: configuration.packageBytesMax, deadline)
        guard answer.status == 200 else {
            throw InvocationError(.versionNotHeld, "Region \(name) does not have the code of \(version.arn).")
        }
        return answer.body
    }

    /// One request without a body that is not an invocation.
    private func asking(
        _ method: HTTPRequest.Method, _ path: String, _ fields: HTTPFields, answerBytesMax: Int, _ deadline: EngineInstant
    ) async throws(InvocationError) -> Exchange {
        var fields = fields
        for field in peerFields { fields[field.name] = field.value }
        let answer: Exchange
        do {
            answer = try await exchange(method, path, fields: fields, body: nil, answerBytesMax: answerBytesMax, deadline: deadline)
        } catch {
            throw invocationError(of: error, .beforeStart)
        }
        guard [200, 204, 404].contains(answer.status) else {
            let failure = ForwardedFailure(status: answer.status, body: answer.body)
            throw InvocationError(.overloaded, "Region \(name) refuses: \(failure?.message ?? "it answered \(answer.status)")")
        }
        return answer
    }
}
