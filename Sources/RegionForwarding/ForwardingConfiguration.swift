public import Placement

/// The limits and times of forwarding.
public struct ForwardingConfiguration: Hashable, Sendable {
    /// How long making a connection may take; then the region is out of reach.
    public var connectTimeout: Duration = .seconds(1)
    /// What an answer may take beyond the budget of its call, for the way back.
    public var answerMargin: Duration = .seconds(1)
    /// How long sending a package and its version to a region may take.
    public var supplyTimeout: Duration = .seconds(60)
    /// The largest package taken from a region. Lambda takes 50 MiB directly.
    public var packageBytesMax = 50 << 20
    /// How often each region is asked for its health; varied by a fifth to either side.
    public var probeInterval: Duration = .seconds(2)
    /// How long a region may take to answer that before it is out of reach.
    public var probeTimeout: Duration = .seconds(1)
    /// How long a region is left alone after a failure; doubled at every further one up to the second value.
    public var backoffMin: Duration = .milliseconds(250)
    public var backoffMax: Duration = .seconds(10)
    /// How long a region that has refused a call for lack of capacity is passed over; doubled at every further refusal.
    public var saturationMin: Duration = .milliseconds(100)
    public var saturationMax: Duration = .seconds(2)
    /// How long one call may take to show that a region is back before another may.
    public var halfOpenMax: Duration = .seconds(5)
    /// Lower round trips than those before count for 63 % after this time; higher ones at once.
    public var roundTripTimeConstant: Duration = .seconds(5)
    /// The largest payload and answer of a call that the round trip is measured by: larger ones take time of their own on the way.
    public var measuredBytesMax = 16 << 10
    /// What regions are chosen by, and what is assumed until it is measured. Its staleness bound is that of reports.
    public var chooser = RegionChooser()
    /// A cold start and a run of a function that nobody has measured.
    public var coldStartPrior: Duration = .milliseconds(250)
    public var durationPrior: Duration = .milliseconds(50)
    /// Versions remembered of what one region tells; those that changed longest ago are forgotten.
    public var reportRowsMax = 16_384
    /// After so long without a line of reports they are asked for anew. Regions send one each second.
    public var reportSilenceMax: Duration = .seconds(3)
    /// Connections to one region, spread over the event loops, and calls under way on one. A further connection of an event loop is made
    /// only when its others are full; when all are full, a call is refused with `overloaded`.
    public var connectionsMax = 16
    public var streamsPerConnection = 1000
    /// How long a region may say nothing on a connection with calls under way; it is asked meanwhile (PING). Then the connection ends, and
    /// with it the calls, as when it is lost.
    public var silenceMax: Duration = .seconds(10)
    /// How long a connection without a call is kept.
    public var idleTimeout: Duration = .seconds(600)
    /// How long a connection gets new calls. Then it is made anew, so that the certificates at both ends are the present ones.
    public var connectionAgeMax: Duration = .seconds(3600)
    /// How long calls may go on on connections that get no new ones: longer than the longest call.
    public var retirementMax: Duration = .seconds(960)
    /// Sets of connections to one region that only end. With so many, those in use stay in use until one of them has ended.
    public var retiredConnectionsMax = 4
    /// The hops a call may make; at 1 a call that has been forwarded to a node is not forwarded by it.
    public var hopsMax = 1
    /// The revisions for which a region's answer is remembered to be outdated; the oldest is forgotten.
    public var suppliesRemembered = 1024

    public init() {}
}
