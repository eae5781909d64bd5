internal import CSandboxProtocol
public import EngineCore
internal import SystemPackage

/// The limits the kernel enforces on an instance or a container. `nil` means none.
public struct SandboxLimits: Hashable, Sendable {
    public var memory: ByteCount?
    /// The most, in thousandths of a core.
    public var cpuMillis: Int?
    /// The share among those that want the processor at the same moment, 1…10000; `nil` is the kernel's default.
    public var cpuWeight: Int?
    public var processes: Int?

    public init(memory: ByteCount? = nil, cpuMillis: Int? = nil, cpuWeight: Int? = nil, processes: Int? = nil) {
        self.memory = memory
        self.cpuMillis = cpuMillis
        self.cpuWeight = cpuWeight
        self.processes = processes
    }

    var wire: ws_limits {
        ws_limits(
            memory_bytes: UInt64(clamping: memory?.bytes ?? 0), cpu_millis: UInt32(clamping: cpuMillis ?? 0),
            cpu_weight: UInt32(clamping: cpuWeight ?? 0), pids_max: UInt32(clamping: processes ?? 0), reserved: 0)
    }
}

/// A container to be started, or a prepared one to be assigned to a function.
public struct ContainerSpecification: Hashable, Sendable {
    /// Which part of the start is asked for: a container of the warming pool is prepared first and assigned later.
    public struct Stages: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Namespaces, mounts, cgroup and channel; boots the runtimes that can boot without code.
        public static let prepare = Stages(rawValue: WS_STAGE_PREPARE.rawValue)
        /// Mounts the bundle and sets the limits; executes the runtimes that are the bundle's own program.
        public static let assign = Stages(rawValue: WS_STAGE_ASSIGN.rawValue)
    }

    /// How this start differs from others of its runtime.
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Executed instead of forked from the zygote, so that it shares no address-space layout with others.
        public static let alone = Flags(rawValue: WS_START_ALONE.rawValue)
        /// The system calls it makes are recorded, and reported at its end. Slow.
        public static let learn = Flags(rawValue: WS_START_LEARN.rawValue)
    }

    public var instance: UInt64
    public var container: UInt64
    public var stages: Stages
    public var flags: Flags
    public var runtime: String
    /// The unpacked bundle, relative to the launcher's content folder; empty unless `assign` is asked for.
    public var bundle: String
    public var limits: SandboxLimits
    public var temporaryStorage: ByteCount
    public var openFilesMax: Int
    /// The largest file a function may write; `nil` leaves it to the size of `/tmp`.
    public var fileSizeMax: ByteCount?
    /// Arguments and `NAME=value` environment, for runtimes that are the bundle's own program.
    public var arguments: [String]
    public var environment: [String]
    /// The only system calls allowed, by name; empty leaves the runtime's own filter alone. With both stages in one request only.
    public var systemCalls: [String]
    /// The port of the container's own loopback on which a proxy is to be reached; `nil` for none.
    public var egressPort: UInt16?

    public init(
        instance: UInt64, container: UInt64, stages: Stages, flags: Flags = [], runtime: String, bundle: String = "",
        limits: SandboxLimits = .init(), temporaryStorage: ByteCount = .mebibytes(512), openFilesMax: Int = 1024,
        fileSizeMax: ByteCount? = nil, arguments: [String] = [], environment: [String] = [], systemCalls: [String] = [],
        egressPort: UInt16? = nil
    ) {
        self.instance = instance
        self.container = container
        self.stages = stages
        self.flags = flags
        self.runtime = runtime
        self.bundle = bundle
        self.limits = limits
        self.temporaryStorage = temporaryStorage
        self.openFilesMax = openFilesMax
        self.fileSizeMax = fileSizeMax
        self.arguments = arguments
        self.environment = environment
        self.systemCalls = systemCalls
        self.egressPort = egressPort
    }
}

/// A request as bytes (`wayside_protocol.h`).
enum LauncherRequest {
    /// - Parameter messages: where the launcher's messages are to go from now on.
    case hello(messages: FileDescriptor?)
    case createInstance(id: UInt64, SandboxLimits)
    case killInstance(UInt64)
    case startContainer(ContainerSpecification)
    case killContainer(UInt64)
    case inspectContainer(UInt64)
    case parkContainer(ContainerParking)
    case adopt

    /// - Throws: `invalidArgument` when a value does not fit into the message.
    func encoded(requestID: UInt64) throws(SandboxError) -> [UInt8] {
        switch self {
        case .hello:
            return Self.bytes(of: ws_header(), WS_HELLO, requestID)
        case .createInstance(let id, let limits):
            return Self.bytes(
                of: ws_instance_create(header: ws_header(), instance_id: id, limits: limits.wire), WS_INSTANCE_CREATE, requestID)
        case .killInstance(let id):
            return Self.bytes(of: ws_instance_kill(header: ws_header(), instance_id: id), WS_INSTANCE_KILL, requestID)
        case .killContainer(let id):
            return Self.bytes(of: ws_container_kill(header: ws_header(), container_id: id), WS_CONTAINER_KILL, requestID)
        case .inspectContainer(let id):
            return Self.bytes(of: ws_container_inspect(header: ws_header(), container_id: id), WS_CONTAINER_INSPECT, requestID)
        case .startContainer(let specification):
            return try Self.bytes(of: specification, requestID)
        case .parkContainer(let parking):
            guard parking.label.count <= ContainerParking.labelBytesMax else {
                throw SandboxError(.invalidArgument, "a label of \(parking.label.count) bytes; at most \(ContainerParking.labelBytesMax)")
            }
            let body = ws_container_park(
                header: ws_header(), container_id: parking.container, seconds: parking.seconds, descriptors: parking.bits,
                state: parking.state, label_length: UInt32(parking.label.count))
            return Self.bytes(of: body, WS_CONTAINER_PARK, requestID, trailing: parking.label)
        case .adopt:
            return Self.bytes(of: ws_header(), WS_ADOPT, requestID)
        }
    }

    /// What travels beside the message; the receiver gets descriptors of its own.
    var descriptors: [Int32] {
        switch self {
        case .hello(let messages?): [messages.rawValue]
        case .parkContainer(let parking): parking.ordered
        default: []
        }
    }

    private static func bytes(of specification: ContainerSpecification, _ requestID: UInt64) throws(SandboxError) -> [UInt8] {
        var strings: [UInt8] = []
        for text in specification.arguments + specification.environment + specification.systemCalls {
            guard !text.utf8.contains(0) else {
                throw SandboxError(.invalidArgument, "an argument, environment variable or name contains a NUL byte; remove it")
            }
            strings.append(contentsOf: text.utf8)
            strings.append(0)
        }
        var body = ws_container_start()
        body.instance_id = specification.instance
        body.container_id = specification.container
        body.stages = specification.stages.rawValue
        body.flags = specification.flags.rawValue
        body.egress_port = UInt32(specification.egressPort ?? 0)
        body.nofile_max = UInt32(clamping: specification.openFilesMax)
        body.limits = specification.limits.wire
        body.tmp_bytes = UInt64(clamping: specification.temporaryStorage.bytes)
        body.file_size_bytes = UInt64(clamping: specification.fileSizeMax?.bytes ?? 0)
        body.argc = UInt32(specification.arguments.count)
        body.envc = UInt32(specification.environment.count)
        body.syscallc = UInt32(specification.systemCalls.count)
        body.strings_length = UInt32(clamping: strings.count)
        try copy(specification.runtime, into: &body.runtime, named: "runtime name")
        try copy(specification.bundle, into: &body.bundle, named: "bundle path")
        let message = bytes(of: body, WS_CONTAINER_START, requestID, trailing: strings)
        guard message.count <= Int(WS_MESSAGE_MAX), specification.arguments.count <= Int(WS_ARGV_MAX),
            specification.environment.count <= Int(WS_ENVP_MAX), specification.systemCalls.count <= Int(WS_SYSCALLS_MAX)
        else {
            throw SandboxError(
                .invalidArgument, "arguments, environment and system calls take \(strings.count) bytes or are too many; shorten them")
        }
        return message
    }

    /// Copies `text` with its NUL into a fixed array of C characters.
    private static func copy<Field>(_ text: String, into field: inout Field, named name: String) throws(SandboxError) {
        let utf8 = Array(text.utf8)
        guard utf8.count < MemoryLayout<Field>.size, !utf8.contains(0) else {
            throw SandboxError(.invalidArgument, "the \(name) does not fit into \(MemoryLayout<Field>.size - 1) bytes: \(text)")
        }
        // SAFETY: the field is a plain array of characters, zeroed before, and longer than what is copied.
        withUnsafeMutableBytes(of: &field) { $0.copyBytes(from: utf8) }
    }

    /// The structure's bytes with its leading header filled in, and what follows it.
    private static func bytes<Body>(of body: Body, _ type: ws_message_type, _ requestID: UInt64, trailing: [UInt8] = []) -> [UInt8] {
        let length = MemoryLayout<Body>.size + trailing.count
        let header = ws_header(
            magic: WS_PROTOCOL_MAGIC, version: UInt16(WS_PROTOCOL_VERSION), type: UInt16(type.rawValue), request_id: requestID,
            length: UInt32(clamping: length), reserved: 0)
        // SAFETY: message structures are trivial C values that begin with their header; the wire is their memory (same host).
        var message = withUnsafeBytes(of: body) { Array($0) }
        withUnsafeBytes(of: header) { message.replaceSubrange(0..<MemoryLayout<ws_header>.size, with: $0) }
        message.append(contentsOf: trailing)
        return message
    }
}
