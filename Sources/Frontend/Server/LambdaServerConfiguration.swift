public import HummingbirdCore
public import NIOCore
public import NIOSSL

/// Where and how the API is served.
public struct LambdaServerConfiguration: Sendable {
    public var address: BindAddress
    /// HTTP/1.1 and HTTP/2 over TLS, by ALPN. Without it: HTTP/1.1 in the clear.
    public var tls: TLSConfiguration?
    /// How long a connection may stay without a request, or stand still in the middle of one.
    public var idleTimeout: TimeAmount?
    /// How far the clock of a client may be off, in seconds. AWS permits 300; ``SignatureVerifier/skewSecondsMax`` switches the
    /// check off, for test suites with a frozen clock.
    public var clockSkewSeconds: Int64
    /// The regions that a credential may be scoped to; empty permits all.
    public var regions: Set<String>
    /// What a call may take beyond the function's own time-out, for waiting, fetching and starting.
    public var startAllowance: Duration
    /// What links to packages begin with, such as `https://pop.example.org`; `nil` takes the host that the caller asked.
    public var publicURL: String?
    public var limits: LambdaLimits

    public init(
        address: BindAddress, tls: TLSConfiguration? = nil, idleTimeout: TimeAmount? = .minutes(5), clockSkewSeconds: Int64 = 300,
        regions: Set<String> = [], startAllowance: Duration = .seconds(30), publicURL: String? = nil,
        limits: LambdaLimits = LambdaLimits()
    ) {
        self.address = address
        self.tls = tls
        self.idleTimeout = idleTimeout
        self.clockSkewSeconds = clockSkewSeconds
        self.regions = regions
        self.startAllowance = startAllowance
        self.publicURL = publicURL
        self.limits = limits
    }
}
