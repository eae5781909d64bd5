import EngineCore
import FunctionCatalog
import HTTPTypes

/// FunctionConfiguration, the structure most operations answer (lambda-api.md, section 2c).
struct FunctionConfigurationAnswer {
    let entry: FunctionEntry
    /// Behind the ARN; `nil` answers the unqualified one.
    let qualifier: String?
    /// Those that hold this version.
    var regions: [String] = []
    /// List items have no state.
    var hasState = true

    func write(to json: inout JSONWriter) {
        let settings = entry.settings
        json.member("FunctionName", entry.key.name)
        json.member("FunctionArn", entry.key.arn(qualifier: qualifier))
        json.member("Runtime", settings.runtime)
        json.member("Role", settings.role)
        if !settings.handler.isEmpty { json.member("Handler", settings.handler) }
        json.member("CodeSize", entry.code.size.bytes)
        json.member("Description", settings.description)
        json.member("Timeout", settings.timeoutSeconds)
        json.member("MemorySize", settings.memoryMebibytes)
        json.member("LastModified", Self.time(entry.lastModified))
        json.member("CodeSha256", Base64.encode(entry.code.digest.bytes))
        json.member("Version", entry.version.description)
        if !settings.environment.isEmpty {
            json.member("Environment") { $0.member("Variables", map: settings.environment) }
        }
        json.member("TracingConfig") { $0.member("Mode", "PassThrough") }
        json.member("RevisionId", entry.revision)
        if hasState {
            // A package is unpacked before the operation is answered, so there is no time in which a function is pending.
            json.member("State", "Active")
            json.member("LastUpdateStatus", "Successful")
        }
        json.member("PackageType", "Zip")
        json.member("Architectures", [settings.architecture])
        json.member("EphemeralStorage") { $0.member("Size", settings.temporaryStorageMebibytes) }
        json.member("SnapStart") { snapStart in
            snapStart.member("ApplyOn", "None")
            snapStart.member("OptimizationStatus", "Off")
        }
        json.member("LoggingConfig") { logging in
            logging.member("LogFormat", "Text")
            logging.member("LogGroup", "/aws/lambda/\(entry.key.name)")
        }
        // Only where it says something, so that AWS clients see what AWS answers.
        let placement = settings.placement
        if !settings.egress.isEmpty || settings.systemCalls != nil || settings.affinity != nil || entry.isolation != .shared
            || placement != PlacementRule() || !regions.isEmpty
        {
            json.member("Wayside") { wayside in
                if !settings.egress.isEmpty { wayside.member("Egress", settings.egress) }
                if let systemCalls = settings.systemCalls { wayside.member("SystemCalls", systemCalls) }
                if entry.isolation != .shared { wayside.member("Isolation", entry.isolation.rawValue) }
                if placement.isIdempotent { wayside.member("Idempotent", true) }
                if placement.servesStale { wayside.member("ServeStale", true) }
                if placement.latency != .normal { wayside.member("Latency", placement.latency.rawValue) }
                if !regions.isEmpty { wayside.member("Regions", regions) }
                if let rule = settings.affinity { wayside.member("Affinity") { Self.write(rule, to: &$0) } }
            }
        }
    }

    private static func write(_ rule: AffinityRule, to json: inout JSONWriter) {
        json.member("Source", rule.source.description)
        if !rule.patterns.isEmpty { json.member("Patterns", rule.patterns) }
        if let buckets = rule.buckets { json.member("Buckets", buckets) }
        json.member("Mode", rule.mode.rawValue)
        json.member("Busy", rule.busy.rawValue)
        json.member("WaitMilliseconds", rule.waitMilliseconds)
    }

    /// `2026-01-02T03:04:05.678+0000`
    static func time(_ epochSeconds: Double) -> String {
        let time = CivilTime(epochMilliseconds: Int64((epochSeconds * 1000).rounded(.down)))
        return "\(time.description.dropLast())+0000"
    }
}

extension LambdaAnswer {
    static func configuration(_ entry: FunctionEntry, qualifier: String?, status: Int = 200) -> LambdaAnswer {
        .json(.init(code: status)) { FunctionConfigurationAnswer(entry: entry, qualifier: qualifier).write(to: &$0) }
    }
}
