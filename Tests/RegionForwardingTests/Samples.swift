import EngineCore
import NIOCore
import RegionForwarding

/// Values that tests change one part of.
enum Sample {
    static let digest = ContentDigest(hex: String(repeating: "ab", count: 32))
    static let account = AccountID("123456789012")

    static func version(revision: String = "0b8a64c1-75b1-4b2e-9d2f-6a2f0c2f8f11") throws -> PinnedVersion {
        guard let digest, let account else { throw ForwardingError(.invalidName, "The samples are wrong.") }
        return PinnedVersion(
            key: FunctionKey(account: account, region: "eu-central-1", name: "hello"), version: .published(7), revision: revision,
            runtime: "python3.13", handler: "app.handler", memory: .mebibytes(128), temporaryStorage: .mebibytes(512),
            timeout: .seconds(3), environment: ["GREETING": "Grüße"], codeDigest: digest, codeSize: ByteCount(3))
    }

    static func request(
        payload: ByteBuffer = ByteBuffer(string: "{}"), clientContext: String? = nil, deadline: Duration = .seconds(30),
        origin: InvocationRequest.Origin = .client
    ) throws -> InvocationRequest {
        let now = EngineInstant.now()
        let version = try version()
        return InvocationRequest(
            id: RequestID(), function: version, invokedARN: version.arn, payload: payload, clientContext: clientContext,
            traceID: "Root=1-5759e988-bd862e3fe1be46a994272793", arrival: now, deadline: now + deadline, origin: origin)
    }

    static func record(of request: InvocationRequest) -> InvocationRecord {
        var spans = InvocationRecord.Spans()
        spans.run = 1.25
        return InvocationRecord(
            requestID: request.id, functionARN: request.function.arn, version: request.function.version,
            account: request.function.key.account, node: "region-1", decision: .run, reason: .region, site: "region-1",
            startLevel: .container, arrivalEpochSeconds: 1_700_000_000,
            spans: spans, outcome: .success, endingParty: .function, memoryLimit: request.function.memory, requestByteCount: 2)
    }

    static func result(
        payload: ByteBuffer, log: String = "START\nEND\n", dropped: Int = 0, isError: Bool = false
    ) throws -> InvocationResult {
        InvocationResult(
            outcome: isError ? .functionError(payload) : .success(payload),
            log: InvocationLog(text: ByteBuffer(string: log), droppedByteCount: dropped), record: record(of: try request()))
    }
}
