/// To how many regions versions are brought ahead of their calls, and what that may take.
public struct ReplicationConfiguration: Hashable, Sendable {
    /// Regions that hold each version; 0: only those that its calls bring it to.
    public var breadth = 2
    /// Whether a change waits for a quorum of ``breadth`` also when fewer regions can be reached.
    public var isRequired = false
    /// How long a change may wait for its quorum.
    public var timeout: Duration = .seconds(10)
    /// Forwarded calls a minute for which one region is enough; each further so many bring one region more.
    public var callsPerRegion = 1200.0
    /// A region beyond the breadth is released when it has had no call of the version for so long.
    public var quiet: Duration = .seconds(600)
    /// A region drops a version that was neither called nor sent to it for so long. Whoever needs it sends it again.
    public var heldMax: Duration = .seconds(86_400)

    /// Between two looks at what is missing, and how many versions one look takes in.
    public var lookInterval: Duration = .seconds(1)
    public var versionsPerLook = 1024
    /// What is done at one time, and what waits for it. Beyond, nothing is added: the next look finds it again.
    public var tasksMax = 4
    public var queueMax = 1024
    /// How often one task is tried, and the pause after the first failure, doubled with each up to the second value.
    public var triesMax = 8
    public var backoff: ClosedRange<Duration> = .milliseconds(200) ... .seconds(30)
    /// How long a version is not brought to the same region again: one that has no room drops what it was brought last.
    public var repeatMin: Duration = .seconds(30)
    /// How long a region that refused a version is left alone while a change waits for others.
    public var refusalPause: Duration = .milliseconds(500)
    /// Versions whose forwarded calls are counted; of more, those called longest ago are forgotten.
    public var demandsMax = 4096
    /// In this time without forwarded calls their count halves.
    public var demandHalfLife: Duration = .seconds(60)

    public init() {}
}
