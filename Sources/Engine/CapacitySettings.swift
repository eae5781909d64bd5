internal import CapacityPools
internal import EngineCore
internal import Logging
internal import Placement
internal import Sandboxing

/// What the configuration says of the node's capacity.
struct CapacitySettings: Sendable {
    /// Which idle containers give way.
    enum Retention: String, CaseIterable, Sendable {
        /// Those whose next call is worth least for their memory.
        case market
        /// Those that have been idle for longest.
        case leastRecent = "lru"
    }

    /// A general sub-pool.
    struct Warming: Hashable, Sendable {
        var runtime: String
        var sizeClass: Int
        var floor: Int
        var ceiling: Int
    }

    struct Fixed: Hashable, Sendable {
        var name: String
        var memory: ByteCount
    }

    /// Where offers of a variable sub-pool come from.
    struct Variable: Hashable, Sendable {
        enum Source: Hashable, Sendable {
            /// Daily windows.
            case schedule([String])
            /// A program of the operator's, with its arguments.
            case command([String])
        }

        var name: String
        var source: Source
    }

    var pool: PoolConfiguration
    var retention: Retention
    var warming: [Warming]
    var fixed: [Fixed]
    var variable: [Variable]
    /// Instances that all general sub-pools together keep ready.
    var warmingMax: Int
    /// How often the operator's command for variable capacity is run.
    var offerInterval: Duration
}

extension CapacitySettings {
    /// The pool as configured.
    ///
    /// - Parameter weighsCalls: what is kept decides also which calls are forwarded.
    func pool(
        host: SandboxHost, history: SizingHistory, surroundings: ContainerPool.Surroundings, weighsCalls: Bool, logger: Logger
    ) throws -> ContainerPool {
        var sizing = WarmingSizerConfiguration()
        sizing.totalMax = warmingMax
        sizing.parallelBoots = pool.startsMax
        let made = ContainerPool(
            configuration: pool,
            warming: warming.map {
                WarmingSubPool(runtime: $0.runtime, sizeClass: $0.sizeClass, floor: $0.floor, ceiling: $0.ceiling)
            }, retention: retentionPolicy(weighsCalls: weighsCalls), sizing: sizing, history: history,
            drivers: try variable.map { try driver($0, logger: logger) }, host: host, surroundings: surroundings, logger: logger)
        for area in fixed { try made.configure(.fixed(area.name), SubPoolSettings(memory: area.memory)) }
        return made
    }

    private func retentionPolicy(weighsCalls: Bool) -> any RetentionPolicy {
        let rule = KeepAliveRule(base: pool.keepAlive.inSeconds)
        switch retention {
        case .leastRecent: return LeastRecentRetention(rule: rule)
        case .market:
            var market = CapacityMarket.Configuration(capacity: Double(pool.memory.bytes) / 1_048_576)
            market.hasRegions = weighsCalls
            return MarketRetention(configuration: market, rule: rule, seed: .random(in: 0 ... .max))
        }
    }

    private func driver(_ variable: Variable, logger: Logger) throws -> any VariableCapacityDriver {
        switch variable.source {
        case .schedule(let windows): return try ScheduledCapacity(name: variable.name, windows: windows)
        case .command(let arguments):
            var settings = CommandCapacitySettings(arguments: arguments)
            settings.interval = offerInterval
            return try CommandCapacity(settings: settings, logger: logger)
        }
    }
}

extension ConfigurationValues {
    func capacitySettings() throws(ConfigurationError) -> CapacitySettings {
        var fixed: [CapacitySettings.Fixed] = []
        for text in try strings("capacity.fixed") {
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, VariableOffer.isName(String(parts[0])), let mebibytes = Int(parts[1]),
                (1...16_777_216).contains(mebibytes),
                !fixed.contains(where: { $0.name == parts[0] })
            else { throw ConfigurationError("capacity.fixed has '\(text)'; give NAME=MEBIBYTES, each name once") }
            fixed.append(CapacitySettings.Fixed(name: String(parts[0]), memory: .mebibytes(mebibytes)))
        }
        let pool = try capacity()
        guard fixed.reduce(0, { $0 + $1.memory.bytes }) <= pool.memory.bytes else {
            throw ConfigurationError("capacity.fixed sets more aside than the \(pool.memory) of capacity.memoryMebibytes")
        }
        return CapacitySettings(
            pool: pool, retention: try choice("capacity.retention", CapacitySettings.Retention.self), warming: try warming(), fixed: fixed,
            variable: try variable(), warmingMax: try integer("capacity.warmingMax", in: 0...10_000),
            offerInterval: .seconds(try integer("capacity.offerIntervalSeconds", in: 1...86_400)))
    }

    /// `RUNTIME=FLOOR`, `RUNTIME=FLOOR..CEILING`, `RUNTIME/MEBIBYTES=FLOOR..CEILING`.
    private func warming() throws(ConfigurationError) -> [CapacitySettings.Warming] {
        var found: [CapacitySettings.Warming] = []
        for text in try strings("capacity.warming") {
            guard let entry = Self.warming(text), !found.contains(where: { ($0.runtime, $0.sizeClass) == (entry.runtime, entry.sizeClass) })
            else {
                throw ConfigurationError(
                    "capacity.warming has '\(text)'; give RUNTIME=FLOOR..CEILING or RUNTIME/MEBIBYTES=FLOOR..CEILING, for example "
                        + "python=2..8, each once")
            }
            found.append(entry)
        }
        return found
    }

    private static func warming(_ text: String) -> CapacitySettings.Warming? {
        let parts = text.split(separator: "=")
        guard parts.count == 2, let runtime = parts[0].split(separator: "/").first else { return nil }
        let size = parts[0].split(separator: "/").dropFirst()
        guard size.count <= 1 else { return nil }
        let sizeClass = size.first.map { Int($0) } ?? PoolConfiguration.sizeClassDefault
        let bounds = parts[1].split(separator: ".", omittingEmptySubsequences: true).map { Int($0) }
        guard let sizeClass, (1...PoolConfiguration.sizeClassDefault).contains(sizeClass), (1...2).contains(bounds.count),
            bounds.count == 1 || parts[1].contains(".."), let floor = bounds[0], let ceiling = bounds[bounds.count - 1],
            (0...1_000).contains(floor), (floor...1_000).contains(ceiling)
        else { return nil }
        return CapacitySettings.Warming(runtime: String(runtime), sizeClass: sizeClass, floor: floor, ceiling: ceiling)
    }

    /// `NAME=schedule WINDOW WINDOW…` or `NAME=command PROGRAM ARGUMENT…`.
    private func variable() throws(ConfigurationError) -> [CapacitySettings.Variable] {
        var found: [CapacitySettings.Variable] = []
        for text in try strings("capacity.variable") {
            let parts = text.split(separator: "=", maxSplits: 1)
            let words = parts.count == 2 ? parts[1].split(separator: " ").map(String.init) : []
            guard words.count >= 2, VariableOffer.isName(String(parts[0])), !found.contains(where: { $0.name == parts[0] }) else {
                throw ConfigurationError(
                    "capacity.variable has '\(text)'; give 'NAME=schedule 22:00-06:00=0.5@4096MiB' or 'NAME=command /PROGRAM', each name "
                        + "once")
            }
            let name = String(parts[0])
            switch words[0] {
            case "schedule": found.append(.init(name: name, source: .schedule(Array(words.dropFirst()))))
            case "command": found.append(.init(name: name, source: .command(Array(words.dropFirst()))))
            default: throw ConfigurationError("capacity.variable has '\(text)'; after NAME= comes schedule or command")
            }
        }
        return found
    }
}
