internal import CapacityPools
internal import Configuration
internal import EgressProxy
internal import EngineCore
internal import Foundation
internal import Placement
internal import RegionForwarding
internal import SystemPackage
internal import Yams

/// The values of a configuration file over the defaults, each read with a check.
struct ConfigurationValues {
    private let reader: ConfigReader
    /// The file, and what it says of each key that it has.
    let file: FilePath?
    let texts: [String: String]

    init(file: FilePath?) async throws(ConfigurationError) {
        var defaults: [AbsoluteConfigKey: ConfigValue] = [:]
        for (key, value) in ConfigurationKeys.defaults {
            defaults[AbsoluteConfigKey(key.split(separator: ".").map(String.init), context: [:])] = value
        }
        var providers: [any ConfigProvider] = [InMemoryProvider(values: defaults)]
        var texts: [String: String] = [:]
        if let file {
            guard FileManager.default.isReadableFile(atPath: file.string) else {
                throw ConfigurationError("\(file) is not there or cannot be read; give --config the node's configuration file")
            }
            do {
                texts = try Self.texts(of: file)
                providers.insert(try await FileProvider<YAMLSnapshot>(filePath: file), at: 0)
            } catch let error as ConfigurationError {
                throw error
            } catch {
                throw ConfigurationError("\(file) cannot be read: \(error)")
            }
        }
        reader = ConfigReader(providers: providers)
        self.file = file
        self.texts = texts
    }

    /// What a file says of each key. A misspelt key is refused: it would leave its default in force without a word.
    private static func texts(of file: FilePath) throws -> [String: String] {
        let text = try String(contentsOfFile: file.string, encoding: .utf8)
        var texts: [String: String] = [:]
        func collect(_ node: Node, _ path: String) throws {
            guard case .mapping(let mapping) = node else { return texts[path] = try Yams.serialize(node: node) }
            for (key, value) in mapping { try collect(value, path.isEmpty ? key.string ?? "?" : "\(path).\(key.string ?? "?")") }
        }
        if let root = try Yams.compose(yaml: text) {
            guard case .mapping = root else { throw ConfigurationError("\(file) has no keys. See Config/wayside.yaml") }
            try collect(root, "")
        }
        let unknown = texts.keys.filter { ConfigurationKeys.defaults[$0] == nil }.sorted()
        guard unknown.isEmpty else {
            throw ConfigurationError("\(file) has keys that do not exist: \(unknown.joined(separator: ", ")). See Config/wayside.yaml")
        }
        return texts
    }

    // MARK: - One value

    private func required<Value>(_ key: String, _ read: () throws -> Value) throws(ConfigurationError) -> Value {
        do { return try read() } catch { throw ConfigurationError("\(key) has a value of the wrong type. See Config/wayside.yaml") }
    }

    func string(_ key: String) throws(ConfigurationError) -> String {
        try required(key) { try reader.requiredString(forKey: ConfigKey(key)) }
    }

    func strings(_ key: String) throws(ConfigurationError) -> [String] {
        try required(key) { try reader.requiredStringArray(forKey: ConfigKey(key)) }
    }

    func integer(_ key: String, in range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
        let value = try required(key) { try reader.requiredInt(forKey: ConfigKey(key)) }
        guard range.contains(value) else {
            throw ConfigurationError("\(key) is \(value); set \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    func double(_ key: String) throws(ConfigurationError) -> Double {
        try required(key) { try reader.requiredDouble(forKey: ConfigKey(key)) }
    }

    func boolean(_ key: String) throws(ConfigurationError) -> Bool {
        try required(key) { try reader.requiredBool(forKey: ConfigKey(key)) }
    }

    func choice<Value: RawRepresentable<String> & CaseIterable>(_ key: String, _: Value.Type) throws(ConfigurationError) -> Value {
        let text = try string(key)
        guard let value = Value(rawValue: text) else {
            throw ConfigurationError("\(key) is '\(text)'; set one of \(Value.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return value
    }

    /// Letters, digits and hyphens: it becomes part of certificates, headers and cgroup paths.
    func name(_ key: String) throws(ConfigurationError) -> String {
        let text = try string(key)
        guard (1...63).contains(text.utf8.count), text.utf8.allSatisfy(Self.isNameByte) else {
            throw ConfigurationError("\(key) is '\(text)'; use 1 to 63 lower-case letters, digits and hyphens")
        }
        return text
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
    }

    func absolutePath(_ key: String) throws(ConfigurationError) -> FilePath {
        let path = FilePath(try string(key))
        guard path.isAbsolute else { throw ConfigurationError("\(key) is '\(path)'; give an absolute path") }
        return path.lexicallyNormalized()
    }

    /// `HOST:PORT`, `[v6]:PORT`, or empty for none.
    func listener(_ key: String) throws(ConfigurationError) -> EngineConfiguration.Listener? {
        let text = try string(key)
        if text.isEmpty { return nil }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port) else {
            throw ConfigurationError("\(key) is '\(text)'; give HOST:PORT")
        }
        let host = text[..<colon].trimmingPrefix("[")
        return EngineConfiguration.Listener(host: String(host.hasSuffix("]") ? host.dropLast() : host), port: port)
    }

    /// Two PEM files, both or none.
    func certificate(_ certificate: String, key: String) throws(ConfigurationError) -> EngineConfiguration.Certificate? {
        let (first, second) = (try string(certificate), try string(key))
        if first.isEmpty, second.isEmpty { return nil }
        guard !first.isEmpty, !second.isEmpty else {
            throw ConfigurationError("\(certificate) and \(key) belong together; set both or none")
        }
        return EngineConfiguration.Certificate(certificate: try absolutePath(certificate), key: try absolutePath(key))
    }

    // MARK: - Groups

    func peers() throws(ConfigurationError) -> EngineConfiguration.Peers? {
        let listen = try listener("peers.listen")
        let regions = try nodes("peers.regions")
        let site = try nodes("peers.site", besides: regions)
        guard listen != nil || !regions.isEmpty || !site.isEmpty else { return nil }
        guard let certificate = try certificate("peers.certificate", key: "peers.key") else {
            throw ConfigurationError("peers need peers.certificate and peers.key; make them with `wayside cert init`")
        }
        let hedgeAfter = try integer("peers.hedgeAfterMilliseconds", in: 0...900_000)
        let hedgePercentMax = try integer("peers.hedgePercentMax", in: 1...100)
        return EngineConfiguration.Peers(
            listen: listen, certificate: certificate, authority: try absolutePath("peers.authority"), regions: regions,
            site: site, probeInterval: .milliseconds(try integer("peers.probeIntervalMilliseconds", in: 50...600_000)),
            reportStaleness: .milliseconds(try integer("peers.reportStalenessMilliseconds", in: 100...600_000)),
            connectionAgeMax: .seconds(try integer("peers.connectionSeconds", in: 1...86_400)),
            silenceMax: .milliseconds(try integer("peers.silenceMilliseconds", in: 300...600_000)),
            hedging: hedgeAfter == 0 ? nil : Hedging(after: .milliseconds(hedgeAfter), percentMax: hedgePercentMax),
            connectionsMax: try integer("peers.connectionsMax", in: 1...1_024),
            callsPerConnectionMax: try integer("peers.callsPerConnectionMax", in: 1...100_000))
    }

    /// `NAME=https://HOST:PORT`, each name once.
    private func nodes(
        _ key: String, besides others: [EngineConfiguration.Region] = []
    ) throws(ConfigurationError) -> [EngineConfiguration.Region] {
        var found: [EngineConfiguration.Region] = []
        for text in try strings(key) {
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[1].hasPrefix("https://"), !(others + found).contains(where: { $0.name == parts[0] }) else {
                throw ConfigurationError("\(key) has '\(text)'; give NAME=https://HOST:PORT, each name once")
            }
            found.append(EngineConfiguration.Region(name: String(parts[0]), url: String(parts[1])))
        }
        return found
    }

    func replication() throws(ConfigurationError) -> ReplicationConfiguration {
        var replication = ReplicationConfiguration()
        replication.breadth = try integer("replication.breadth", in: 0...64)
        replication.isRequired = try boolean("replication.required")
        replication.timeout = .milliseconds(try integer("replication.timeoutMilliseconds", in: 100...600_000))
        replication.callsPerRegion = Double(try integer("replication.callsPerRegion", in: 1...1_000_000_000))
        replication.quiet = .seconds(try integer("replication.quietSeconds", in: 1...31_536_000))
        replication.heldMax = .seconds(try integer("replication.heldSecondsMax", in: 1...31_536_000))
        return replication
    }

    func placement() throws(ConfigurationError) -> PlacementConfiguration {
        let halfLife = try integer("placement.frequencyHalfLifeSeconds", in: 1...86_400)
        let frequent = try double("placement.frequentCalls")
        let uncommon = try double("placement.uncommonCalls")
        let remembered = try integer("placement.functionsRemembered", in: 1...10_000_000)
        let largest = try integer("placement.largestFunctionMebibytes", in: 1...1_048_576)
        let hops = try integer("placement.hopLimit", in: 1...16)
        let policy = try choice("placement.policy", PlacementBasis.Policy.self)
        let rare = try integer("placement.rareCalls", in: 0...254)
        let longest = try integer("placement.longestRunSeconds", in: 0...900)
        do throws(PlacementConfigurationError) {
            return try PlacementConfiguration(
                policy: policy, rareCalls: rare, longestRun: longest == 0 ? nil : .seconds(longest),
                frequencyHalfLife: .seconds(halfLife), frequentCallsPerHalfLife: frequent, uncommonCallsPerHalfLife: uncommon,
                frequencyEntryLimit: remembered, largestFunctionMemory: .mebibytes(largest), hopLimit: hops)
        } catch {
            throw ConfigurationError("placement: \(error.message)")
        }
    }

    func egress() throws(ConfigurationError) -> EgressLimits {
        var limits = EgressLimits()
        limits.connectionsMax = try integer("egress.connectionsMax", in: 1...10_000)
        limits.connectionBytesMax = .mebibytes(try integer("egress.connectionMebibytesMax", in: 1...16_777_216))
        limits.containerBytesMax = .mebibytes(try integer("egress.containerMebibytesMax", in: 1...16_777_216))
        limits.connectTime = .seconds(try integer("egress.connectSeconds", in: 1...900))
        limits.idleTime = .seconds(try integer("egress.idleSeconds", in: 1...86_400))
        return limits
    }

    /// By default an eighth of the machine's memory, and never too little for the half of it to take the largest package there may be.
    func bodiesMax() throws(ConfigurationError) -> ByteCount {
        let bodies = try integer("api.bodyMebibytesMax", in: 0...16_777_216)
        // Half of it is one account's, and the largest event there is must fit into that.
        guard bodies == 0 || bodies >= 16 else {
            throw ConfigurationError("api.bodyMebibytesMax must be 0 (by the machine's memory) or at least 16")
        }
        guard bodies == 0 else { return .mebibytes(bodies) }
        return max(.mebibytes(256), ByteCount(Int(clamping: ProcessInfo.processInfo.physicalMemory / 8)))
    }

    func capacity() throws(ConfigurationError) -> PoolConfiguration {
        let memory = try integer("capacity.memoryMebibytes", in: 0...16_777_216)
        let starts = try integer("capacity.startsMax", in: 0...1_024)
        let information = ProcessInfo.processInfo
        return PoolConfiguration(
            memory: memory == 0 ? ByteCount(Int(clamping: information.physicalMemory / 2)) : .mebibytes(memory),
            containersMax: try integer("capacity.containersMax", in: 1...100_000),
            containersPerInstanceMax: try integer("capacity.containersPerInstanceMax", in: 1...1_000),
            startsMax: starts == 0 ? max(1, information.activeProcessorCount - 1) : starts,
            waitersMax: try integer("capacity.waitersMax", in: 0...1_000_000),
            keepAlive: .seconds(try integer("capacity.keepAliveSeconds", in: 0...86_400)),
            spareMemory: .mebibytes(try integer("capacity.spareMebibytes", in: 1...1_024)),
            bootRetryDelay: .milliseconds(try integer("capacity.bootRetryMilliseconds", in: 1...60_000)),
            replenishDelay: .milliseconds(try integer("capacity.replenishDelayMilliseconds", in: 0...60_000)),
            instanceLifetimeMax: .seconds(try integer("capacity.instanceLifetimeSeconds", in: 1...31_536_000)),
            reclaimGrace: .milliseconds(try integer("capacity.reclaimGraceMilliseconds", in: 0...900_000)),
            rareCalls: try integer("placement.rareCalls", in: 0...254),
            functionsCounted: try integer("placement.functionsCounted", in: 1024...100_000_000),
            functionsRemembered: try integer("capacity.functionsRemembered", in: 1...10_000_000),
            affinityWaitersMax: try integer("affinity.waitersMax", in: 0...100_000),
            affinityLimits: AffinityTable.Limits(
                rowsMax: try integer("affinity.rowsMax", in: 1...10_000_000),
                rowsPerFunctionMax: try integer("affinity.rowsPerFunctionMax", in: 1...10_000_000),
                goneMax: try integer("affinity.goneMax", in: 0...10_000_000)))
    }
}
