public import EngineCore

/// What the owner of a function declares about it, apart from its code.
///
/// The catalog keeps what it is given; the API checks ranges before.
public struct FunctionSettings: Hashable, Sendable, Codable {
    /// The Lambda runtime identifier, such as `python3.13`.
    public var runtime: String
    /// Empty for runtimes without handlers.
    public var handler: String
    /// The ARN of the role, kept for tools and given to nothing.
    public var role: String
    public var description: String
    /// The time-out of one invocation in seconds.
    public var timeoutSeconds: Int
    /// The memory limit in MiB.
    public var memoryMebibytes: Int
    /// The size of `/tmp` in MiB.
    public var temporaryStorageMebibytes: Int
    /// The owner's variables; often they hold passwords, so they lie sealed in the database.
    public var environment: [String: String]
    /// `x86_64` or `arm64`.
    public var architecture: String
    /// Entries of the allow-list of an `EgressPolicy`, as the owner wrote them.
    public var egress: [String]
    /// The only system calls the function may make; `nil` for what its runtime may.
    public var systemCalls: [String]?
    /// Which requests belong to one container; `nil`: whatever is idle serves any.
    public var affinity: AffinityRule?
    public var placement: PlacementRule

    public init(
        runtime: String, handler: String, role: String, description: String = "", timeoutSeconds: Int = 3,
        memoryMebibytes: Int = 128, temporaryStorageMebibytes: Int = 512, environment: [String: String] = [:],
        architecture: String = "x86_64", egress: [String] = [], systemCalls: [String]? = nil, affinity: AffinityRule? = nil,
        placement: PlacementRule = PlacementRule()
    ) {
        self.runtime = runtime
        self.handler = handler
        self.role = role
        self.description = description
        self.timeoutSeconds = timeoutSeconds
        self.memoryMebibytes = memoryMebibytes
        self.temporaryStorageMebibytes = temporaryStorageMebibytes
        self.environment = environment
        self.architecture = architecture
        self.egress = egress
        self.systemCalls = systemCalls
        self.affinity = affinity
        self.placement = placement
    }

    /// What was stored before a setting existed has its default.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            runtime: try values.decode(String.self, forKey: .runtime), handler: try values.decode(String.self, forKey: .handler),
            role: try values.decode(String.self, forKey: .role), description: try values.decode(String.self, forKey: .description),
            timeoutSeconds: try values.decode(Int.self, forKey: .timeoutSeconds),
            memoryMebibytes: try values.decode(Int.self, forKey: .memoryMebibytes),
            temporaryStorageMebibytes: try values.decode(Int.self, forKey: .temporaryStorageMebibytes),
            environment: try values.decode([String: String].self, forKey: .environment),
            architecture: try values.decode(String.self, forKey: .architecture),
            egress: try values.decodeIfPresent([String].self, forKey: .egress) ?? [],
            systemCalls: try values.decodeIfPresent([String].self, forKey: .systemCalls),
            affinity: try values.decodeIfPresent(AffinityRule.self, forKey: .affinity),
            placement: try values.decodeIfPresent(PlacementRule.self, forKey: .placement) ?? PlacementRule())
    }
}
