/// An instance and what is in it (STICK-01). `GET /v1/instances` answers `{"instances":[…]}`.
public struct InstanceReport: Sendable, Codable {
    public var instance: UInt64
    /// `nil` while it is nobody's.
    public var account: AccountID?
    public var subPool: SubPoolID?
    public var runtime: String?
    /// The pool's word for it, such as `booting`, `ready`, `active`, `ending`.
    public var state: String
    public var memoryBytes: Int
    public var ageSeconds: Double
    public var containers: [ContainerReport]

    public init(
        instance: UInt64, account: AccountID?, subPool: SubPoolID?, runtime: String?, state: String, memoryBytes: Int, ageSeconds: Double,
        containers: [ContainerReport]
    ) {
        self.instance = instance
        self.account = account
        self.subPool = subPool
        self.runtime = runtime
        self.state = state
        self.memoryBytes = memoryBytes
        self.ageSeconds = ageSeconds
        self.containers = containers
    }
}

/// One container of an instance.
public struct ContainerReport: Sendable, Codable {
    public var container: UInt64
    public var instance: UInt64
    /// The ARN without a version; `nil` for a spare, which holds no function yet.
    public var function: String?
    public var version: FunctionVersion?
    public var revision: String?
    /// `spare`, `starting`, `idle`, `busy` or `ending`.
    public var state: String
    public var memoryBytes: Int
    /// What calls have left in it, as measured (STICK-15).
    public var storedBytes: Int?
    public var ageSeconds: Double
    /// `nil` unless it is idle.
    public var idleSeconds: Double?
    /// Until its keep-alive is over; `nil`: it is not idle, or kept for ever.
    public var expiresSeconds: Double?
    /// Started ahead, for its function alone.
    public var isDedicated: Bool
    /// Never evicted.
    public var isPinned: Bool
    /// Routing values that are mapped to it.
    public var stickyRows: Int

    public init(
        container: UInt64, instance: UInt64, function: String? = nil, version: FunctionVersion? = nil, revision: String? = nil,
        state: String, memoryBytes: Int, storedBytes: Int? = nil, ageSeconds: Double, idleSeconds: Double? = nil,
        expiresSeconds: Double? = nil, isDedicated: Bool = false, isPinned: Bool = false, stickyRows: Int = 0
    ) {
        self.container = container
        self.instance = instance
        self.function = function
        self.version = version
        self.revision = revision
        self.state = state
        self.memoryBytes = memoryBytes
        self.storedBytes = storedBytes
        self.ageSeconds = ageSeconds
        self.idleSeconds = idleSeconds
        self.expiresSeconds = expiresSeconds
        self.isDedicated = isDedicated
        self.isPinned = isPinned
        self.stickyRows = stickyRows
    }
}
