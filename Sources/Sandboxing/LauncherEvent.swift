internal import CSandboxProtocol
public import EngineCore
public import SystemPackage

/// What the launcher is and can enforce, said at the start of a connection.
public struct LauncherCapabilities: Hashable, Sendable {
    public let processID: Int32
    /// Uid ranges and cgroups are enforced; false in rootless mode.
    public let isPrivileged: Bool
    /// 0: none usable, 1: v1 or hybrid, 2: unified.
    public let cgroupVersion: Int
    /// 0: not supported by the kernel.
    public let landlockABI: Int
    public let instancesMax: Int
    public let containersMax: Int
    /// What an earlier connection has left.
    public let parked: ParkedContainers
}

/// Containers that wait at the launcher to be adopted.
public struct ParkedContainers: Hashable, Sendable {
    public static let none = ParkedContainers(count: 0, highestNumber: 0)

    public let count: Int
    /// The highest of their and their instances' numbers, 0 when there are none: new ones have to be above it.
    public let highestNumber: UInt64
}

/// The descriptors of a prepared container. The receiver owns them and closes each exactly once.
public struct ContainerDescriptors: Sendable {
    /// A stream of frames, or the listener of the Runtime API, as the runtime's kind says.
    public let channel: FileDescriptor
    /// What the function writes to standard output and standard error; non-blocking.
    public let log: FileDescriptor
    /// The cgroup's peak memory in decimal text; `nil` where no cgroup is usable, as with the next two.
    public let memoryPeak: FileDescriptor?
    /// The cgroup's cpu time, in the form of its version.
    public let cpuTime: FileDescriptor?
    /// The cgroup's freezer, for writing.
    public let freezer: FileDescriptor?
    /// A listening socket in the container's network namespace; `nil` unless a port was asked for.
    public let egress: FileDescriptor?
    /// Of a container that was parked: the connection of its Runtime API on which it waits.
    let connection: FileDescriptor?

    /// - Returns: `nil` when the reply brought no channel or no log.
    init?(_ reply: ReplyDescriptors) {
        guard let channel = reply[WS_DESCRIPTOR_CHANNEL], let log = reply[WS_DESCRIPTOR_LOG] else { return nil }
        self.channel = channel
        self.log = log
        memoryPeak = reply[WS_DESCRIPTOR_MEMORY]
        cpuTime = reply[WS_DESCRIPTOR_CPU]
        freezer = reply[WS_DESCRIPTOR_FREEZER]
        egress = reply[WS_DESCRIPTOR_EGRESS]
        connection = reply[WS_DESCRIPTOR_CONNECTION]
    }

    public func close() {
        for descriptor in [channel, log, memoryPeak, cpuTime, freezer, egress, connection].compactMap({ $0 }) {
            // A descriptor of a socket, pipe or cgroup file is gone after close(2) whatever it answers.
            try? descriptor.close()
        }
    }
}

/// What came beside a reply: one descriptor for each bit that is set, in the order of the bits.
struct ReplyDescriptors: Sendable {
    static let none = ReplyDescriptors()

    private let bits: UInt32
    let all: [FileDescriptor]

    private init() { (bits, all) = (0, []) }

    /// - Returns: `nil` when there are more or fewer than the bits say, so that nobody knows which is which.
    init?(bits: UInt32, _ all: [FileDescriptor]) {
        guard bits.nonzeroBitCount == all.count else { return nil }
        (self.bits, self.all) = (bits, all)
    }

    subscript(kind: ws_descriptor) -> FileDescriptor? {
        bits & kind.rawValue == 0 ? nil : all[(bits & (kind.rawValue - 1)).nonzeroBitCount]
    }
}

/// A started container: its runtime process, if one runs already, and its descriptors, if it was prepared by this request.
public struct StartedContainer: Sendable {
    /// 0 while the container waits for the program of its bundle.
    public let processID: Int32
    public let descriptors: ContainerDescriptors?
}

/// What the launcher reports by itself.
public enum LauncherEvent: Hashable, Sendable {
    /// The system calls a container that was started with `learn` has made; its end follows.
    case containerLearned(UInt64, systemCalls: [String])
    /// Everything of the container is gone.
    case containerExited(UInt64, ContainerExit)
    case instanceExited(UInt64)
    /// A zygote died; the launcher boots a new one.
    case zygoteExited(runtime: String, waitStatus: Int32)
    /// The connection has ended; every instance and container of it is gone or going.
    case disconnected
}

public struct ContainerExit: Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        case exited(status: Int32)
        case signaled(Int32)
        /// The kernel ended it because its memory limit was reached.
        case outOfMemory
        /// Asked for.
        case killed
    }

    public let reason: Reason
    /// Zero where no cgroup is usable.
    public let memoryPeak: ByteCount
    public let cpuTime: Duration
}

/// A message of the launcher, taken apart.
enum LauncherMessage {
    /// A container that was parked, without its descriptors.
    struct Kept: Hashable {
        var instance: UInt64
        var container: UInt64
        var runtime: String
        var state: UInt32
        /// Those of the descriptors that come with it.
        var bits: UInt32
        var label: [UInt8]
    }

    case capabilities(requestID: UInt64, LauncherCapabilities)
    case reply(requestID: UInt64, ws_reply)
    /// What was parked; `nil` when nothing is any more.
    case adopted(requestID: UInt64, Kept?)
    case event(LauncherEvent)

    /// - Returns: `nil` for a message that is too short, of another version or of no known type.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let header = Self.load(ws_header.self, bytes), header.magic == WS_PROTOCOL_MAGIC,
            header.version == WS_PROTOCOL_VERSION, Int(header.length) == bytes.count
        else { return nil }
        switch ws_message_type(UInt32(header.type)) {
        case WS_HELLO_REPLY:
            guard let body = Self.load(ws_hello_reply.self, bytes) else { return nil }
            self = .capabilities(
                requestID: header.request_id,
                LauncherCapabilities(
                    processID: Int32(bitPattern: body.launcher_pid), isPrivileged: body.privileged != 0,
                    cgroupVersion: Int(body.cgroup_version), landlockABI: Int(body.landlock_abi),
                    instancesMax: Int(body.instances_max), containersMax: Int(body.containers_max),
                    parked: ParkedContainers(count: Int(body.parked), highestNumber: body.parked_number_max)))
        case WS_REPLY:
            guard let body = Self.load(ws_reply.self, bytes) else { return nil }
            self = .reply(requestID: header.request_id, body)
        case WS_ADOPTED:
            guard let body = Self.load(ws_adopted.self, bytes) else { return nil }
            let label = bytes[MemoryLayout<ws_adopted>.size...]
            guard label.count == Int(body.label_length) else { return nil }
            let kept = Kept(
                instance: body.instance_id, container: body.container_id, runtime: Self.text(body.runtime), state: body.state,
                bits: body.descriptors, label: Array(label))
            self = .adopted(requestID: header.request_id, kept.instance == 0 ? nil : kept)
        case WS_CONTAINER_EXIT:
            guard let body = Self.load(ws_container_exit.self, bytes), let exit = ContainerExit(body) else { return nil }
            self = .event(.containerExited(body.container_id, exit))
        case WS_CONTAINER_SYSCALLS:
            guard let body = Self.load(ws_container_syscalls.self, bytes) else { return nil }
            let strings = bytes[MemoryLayout<ws_container_syscalls>.size...].split(separator: 0)
            guard strings.count == Int(body.count) else { return nil }
            self = .event(.containerLearned(body.container_id, systemCalls: strings.map { String(decoding: $0, as: UTF8.self) }))
        case WS_INSTANCE_EXIT:
            guard let body = Self.load(ws_instance_exit.self, bytes) else { return nil }
            self = .event(.instanceExited(body.instance_id))
        case WS_ZYGOTE_EXIT:
            guard let body = Self.load(ws_zygote_exit.self, bytes) else { return nil }
            self = .event(.zygoteExited(runtime: Self.text(body.runtime), waitStatus: body.wait_status))
        default:
            return nil
        }
    }

    /// A fixed array of C characters, up to its NUL.
    private static func text<Field>(_ field: Field) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private static func load<Body: BitwiseCopyable>(_: Body.Type, _ bytes: UnsafeRawBufferPointer) -> Body? {
        bytes.count >= MemoryLayout<Body>.size ? bytes.loadUnaligned(as: Body.self) : nil
    }
}

extension ContainerExit {
    init?(_ body: ws_container_exit) {
        switch ws_exit_reason(body.reason) {
        case WS_EXIT_EXITED: reason = .exited(status: body.status)
        case WS_EXIT_SIGNALED: reason = .signaled(body.status)
        case WS_EXIT_OUT_OF_MEMORY: reason = .outOfMemory
        case WS_EXIT_KILLED: reason = .killed
        default: return nil
        }
        memoryPeak = ByteCount(Int(clamping: body.memory_peak_bytes))
        cpuTime = .nanoseconds(Int64(clamping: body.cpu_nanoseconds))
    }
}
