internal import CSandboxProtocol
internal import SystemPackage

/// What is left to the launcher of a container that is to outlive this process.
struct ContainerParking: Sendable {
    /// `WS_LABEL_MAX`; an expression in C that is not imported.
    static let labelBytesMax = 4096
    /// `WS_PARK_SECONDS_MAX`.
    static let secondsMax: Int64 = 86400

    let container: UInt64
    /// How long the launcher keeps it, from now on.
    let seconds: UInt32
    /// What ``ParkedChannel/state`` says of its channel.
    let state: UInt32
    let label: [UInt8]
    /// They stay this process's too.
    let descriptors: [(kind: ws_descriptor, descriptor: SystemPackage.FileDescriptor)]

    var bits: UInt32 { descriptors.reduce(0) { $0 | $1.kind.rawValue } }

    /// In the order of the bits, in which the launcher expects them.
    var ordered: [Int32] { descriptors.sorted { $0.kind.rawValue < $1.kind.rawValue }.map(\.descriptor.rawValue) }
}

/// What a channel is made of again in the next process.
struct ParkedChannel: Sendable {
    /// The runtime's socket, or the listener of its Runtime API.
    let channel: SystemPackage.FileDescriptor
    /// A connection of its Runtime API, on which it waits for its next event.
    var connection: SystemPackage.FileDescriptor?
    /// Frames: the sequence of the last call. Runtime API: 1 when the connection stays open behind its answer.
    let state: UInt32
}

/// A container that the launcher has kept, as it comes.
struct KeptContainer: Sendable {
    let message: LauncherMessage.Kept
    let descriptors: ContainerDescriptors
}
