/// One region a node may forward to.
public struct RegionPeer: Hashable, Sendable {
    /// Its node name, which its certificate must bear.
    public var name: String
    /// `https://host:port` of its peers' server.
    public var url: String

    public init(name: String, url: String) {
        self.name = name
        self.url = url
    }
}

/// The limits and times of forwarding.
public struct ForwardingConfiguration: Hashable, Sendable {
    /// How long making a connection may take; then the region is out of reach.
    public var connectTimeout: Duration = .seconds(1)
    /// What an answer may take beyond the budget of its call, for the way back.
    public var answerMargin: Duration = .seconds(1)
    /// How long sending a package and its version to a region may take.
    public var supplyTimeout: Duration = .seconds(60)
    /// How often each region is asked for its health; varied by a fifth to either side.
    public var probeInterval: Duration = .seconds(2)
    /// How long a region may take to answer that before it is out of reach.
    public var probeTimeout: Duration = .seconds(1)
    /// How long a region is left alone after a failure; doubled at every further one up to the second value.
    public var backoffMin: Duration = .milliseconds(250)
    public var backoffMax: Duration = .seconds(10)
    /// Connections to one region, and calls under way on one. Servers of the field take 100 streams on a connection. A further
    /// connection is made only when those before it are full; when all are full, a call is refused with `overloaded`.
    public var connectionsMax = 4
    public var streamsPerConnection = 100
    /// How long a connection without a call is kept.
    public var idleTimeout: Duration = .seconds(600)
    /// The hops a call may make; at 1 a call that has been forwarded to a node is not forwarded by it.
    public var hopsMax = 1
    /// The revisions for which a region's answer is remembered to be outdated; the oldest is forgotten.
    public var suppliesRemembered = 1024

    public init() {}
}
