public import EngineCore

/// What `GET /v1/sandbox` answers: what the owner and the account ask for, and what the kernel says holds.
public struct SandboxAnswer: Sendable, Codable {
    /// The ARN, with the version if that is a published one.
    public let function: String
    public let version: FunctionVersion
    public let revision: String
    public let runtime: String
    public let memoryBytes: Int
    /// Seconds.
    public let timeout: Double
    /// Where it may connect to; nowhere when empty.
    public let egress: [String]
    /// The only system calls it may make; absent when its runtime's filter alone holds.
    public let systemCalls: [String]?
    public let isolation: SandboxPolicy.Isolation
    public let report: SandboxReport

    public init(_ version: PinnedVersion, report: SandboxReport) {
        function = version.arn
        self.version = version.version
        revision = version.revision
        runtime = version.runtime
        memoryBytes = version.memory.bytes
        timeout = version.timeout.inSeconds
        egress = version.sandbox.egress.entries
        systemCalls = version.sandbox.systemCalls
        isolation = version.sandbox.isolation
        self.report = report
    }
}
