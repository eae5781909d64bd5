internal import CapacityPools
internal import Configuration
internal import EgressProxy
internal import EngineCore
internal import Foundation
public import Logging
public import Placement
internal import RegionForwarding
internal import Sandboxing
public import SystemPackage
internal import Yams

/// The configuration of a node, checked. `Config/wayside.yaml` explains each key.
public struct EngineConfiguration: Sendable {
    public struct Listener: Hashable, Sendable {
        public let host: String
        public let port: Int
    }

    public struct Certificate: Hashable, Sendable {
        public let certificate: FilePath
        public let key: FilePath
    }

    public struct Peers: Hashable, Sendable {
        public let listen: Listener?
        public let certificate: Certificate
        public let authority: FilePath
        /// Best first.
        public let regions: [Region]
        /// The other frontends of this site.
        public let site: [Region]
        public let probeInterval: Duration
        public let reportStaleness: Duration
        public let connectionAgeMax: Duration
        let silenceMax: Duration
        /// When an idempotent call goes to a second region; `nil`: never.
        let hedging: Hedging?
        /// To each region.
        public let connectionsMax: Int
        /// In either direction.
        public let callsPerConnectionMax: Int
    }

    public struct Region: Hashable, Sendable {
        public let name: String
        public let url: String
    }

    /// Where it was read, if it was, and what the file says of each key it has.
    let file: FilePath?
    let texts: [String: String]
    public let nodeName: String
    public let role: NodeRole
    public let data: FilePath
    public let sandboxPrograms: FilePath
    public let runtimes: FilePath
    public let apiListen: Listener
    public let apiCertificate: Certificate?
    public let publicURL: String?
    public let clockSkewSeconds: Int
    public let apiRegions: [String]
    public let startAllowance: Duration
    /// What one streamed result may have; `nil`: any number of bytes.
    let streamedMax: ByteCount?
    public let apiConnectionsMax: Int
    /// What the bodies of requests may hold together, clients' and other nodes'.
    let bodiesMax: ByteCount
    /// `nil`: the node stands alone.
    public let peers: Peers?
    /// How often the files that may change are looked at; `nil`: only at SIGHUP.
    let reloadInterval: Duration?
    let replication: ReplicationConfiguration
    public let placement: PlacementConfiguration
    public let regionRule: RegionChooser.Rule
    let capacity: CapacitySettings
    /// How long a token that names a container is good for.
    let affinityTokenLifetime: Duration
    /// Seals tokens.
    let affinityKey: FilePath
    let launcherSocket: FilePath?
    let cgroup: String
    let uidBase: Int
    let instancesMax: Int
    let blankInstances: Int
    let initTimeout: Duration
    let logBytesMax: ByteCount
    /// `nil`: never.
    let freezeAfter: Duration?
    let cpu: CPUAllowance
    let egress: EgressLimits
    let unzippedMax: ByteCount
    let sweepInterval: Duration
    let recordsMax: Int
    let recordLogsMax: ByteCount
    /// Rows of the log that `wayside record` reads.
    let arrivalsMax: Int
    public let logLevel: Logger.Level
    let drainTimeout: Duration
    /// How long warm containers wait for the next start of the node; `nil`: they end with it.
    let parkTime: Duration?

    /// The operator's socket.
    public var operatorSocket: FilePath { Self.operatorSocket(data: data) }

    /// The operator's socket of the node with this data folder.
    public static func operatorSocket(data: FilePath) -> FilePath { data.appending("operator.sock") }

    /// Reads a file, or takes the defaults when there is none to read.
    ///
    /// - Throws: `ConfigurationError` for a file that cannot be read, an unknown key, a wrong type, or a value out of range.
    public init(file: FilePath?) async throws(ConfigurationError) {
        try self.init(await ConfigurationValues(file: file))
    }

    init(_ values: ConfigurationValues) throws(ConfigurationError) {
        file = values.file
        texts = values.texts
        nodeName = try values.name("node.name")
        role = try values.choice("node.role", NodeRole.self)
        data = try values.absolutePath("node.data")
        sandboxPrograms = try InstalledPrograms.sandbox(try values.string("programs.sandbox"))
        runtimes = try InstalledPrograms.runtimes(try values.string("programs.runtimes"))
        guard let listen = try values.listener("api.listen") else {
            throw ConfigurationError("api.listen is empty; give HOST:PORT")
        }
        apiListen = listen
        apiCertificate = try values.certificate("api.certificate", key: "api.key")
        let url = try values.string("api.publicURL")
        publicURL = url.isEmpty ? nil : url
        clockSkewSeconds = try values.integer("api.clockSkewSeconds", in: 0...3_155_760_000)
        apiRegions = try values.strings("api.regions")
        startAllowance = .seconds(try values.integer("api.startAllowanceSeconds", in: 1...900))
        let streamed = try values.integer("api.streamedMebibytesMax", in: 0...1_048_576)
        streamedMax = streamed == 0 ? nil : ByteCount(streamed << 20)
        apiConnectionsMax = try values.integer("api.connectionsMax", in: 1...1_000_000)
        bodiesMax = try values.bodiesMax()
        peers = try values.peers()
        let reload = try values.integer("peers.reloadMilliseconds", in: 0...3_600_000)
        reloadInterval = reload == 0 ? nil : .milliseconds(reload)
        replication = try values.replication()
        placement = try values.placement()
        regionRule = try values.choice("placement.regionChoice", RegionChooser.Rule.self)
        capacity = try values.capacitySettings()
        affinityTokenLifetime = .seconds(try values.integer("affinity.tokenSeconds", in: 1...2_592_000))
        affinityKey = try values.string("affinity.key").isEmpty ? data.appending("affinity.key") : values.absolutePath("affinity.key")
        launcherSocket = try values.string("sandbox.launcherSocket").isEmpty ? nil : values.absolutePath("sandbox.launcherSocket")
        cgroup = try values.name("sandbox.cgroup")
        uidBase = try values.integer("sandbox.uidBase", in: 65_536...2_147_483_647)
        instancesMax = try values.integer("sandbox.instancesMax", in: 1...4096)
        blankInstances = try values.integer("sandbox.blankInstances", in: 0...256)
        initTimeout = .seconds(try values.integer("sandbox.initTimeoutSeconds", in: 1...900))
        logBytesMax = .kibibytes(try values.integer("sandbox.logKibibytesPerCall", in: 4...65_536))
        let freeze = try values.integer("sandbox.freezeAfterMilliseconds", in: 0...86_400_000)
        freezeAfter = freeze == 0 ? nil : .milliseconds(freeze)
        cpu = CPUAllowance(
            millisPerGibibyte: try values.integer("sandbox.cpuMillisPerGibibyte", in: 1...1_000_000),
            millisMin: try values.integer("sandbox.cpuMillisMin", in: 10...1_000_000))
        egress = try values.egress()
        unzippedMax = .mebibytes(try values.integer("content.unzippedMebibytesMax", in: 1...10_240))
        sweepInterval = .seconds(try values.integer("content.sweepIntervalSeconds", in: 1...86_400))
        recordsMax = try values.integer("records.countMax", in: 1...10_000_000)
        recordLogsMax = .mebibytes(try values.integer("records.logMebibytesMax", in: 1...65_536))
        arrivalsMax = try values.integer("records.arrivalsMax", in: 0...100_000_000)
        logLevel = try values.choice("log.level", Logger.Level.self)
        drainTimeout = .seconds(try values.integer("drain.timeoutSeconds", in: 0...3_600))
        let park = try values.integer("drain.parkSeconds", in: 0...86_400)
        parkTime = park == 0 ? nil : .seconds(park)
        if role == .region, peers?.listen == nil {
            throw ConfigurationError("a region needs peers.listen, or nobody can forward to it; or set node.role to pop")
        }
        if weighsCalls, capacity.retention == .leastRecent {
            throw ConfigurationError(
                "capacity.retention lru cannot say what a call is worth; set it to market, or placement.policy to frequency")
        }
    }

    /// Whether what is kept here decides also which calls are forwarded.
    var weighsCalls: Bool { role == .pop && peers != nil && placement.policy == .market }
}

/// A configuration that cannot be used, and what to set instead.
public struct ConfigurationError: Error, Hashable, CustomStringConvertible {
    public let message: String
    public var description: String { message }

    init(_ message: String) { self.message = message }
}
