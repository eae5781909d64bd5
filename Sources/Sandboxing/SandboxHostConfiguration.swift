public import EngineCore

/// Where the launcher and its things are, and the bounds it keeps. All paths are absolute.
public struct SandboxHostConfiguration: Sendable {
    /// The program `wayside-launcher`.
    public var launcher: String
    /// `libwayside-zygote.so`.
    public var zygoteLibrary: String
    /// The folder `Runtimes`, with one folder per runtime.
    public var runtimes: String
    /// The folder below which bundles lie.
    public var content: String
    /// An existing folder for the launcher's lock.
    public var state: String
    /// An existing folder for the launcher's socket. A socket's path has at most 107 bytes.
    public var socketDirectory: String
    /// The socket of a launcher that somebody else starts and keeps running; `nil`: the host does, and needs the privilege to.
    public var launcherSocket: String?
    public var instancesMax: Int
    public var containersMax: Int
    /// Instances the launcher makes ahead of any request.
    public var blankInstances: Int
    /// The launcher's cgroup, below its own: lower-case letters, digits, `-`, `_`.
    public var cgroup: String
    /// The first user id of the instances' ranges; `nil` for the launcher's own default.
    public var uidBase: Int?
    /// How long user code may take to load; a function whose own time-out is longer has that long.
    public var initTimeout: Duration
    /// Output kept of one invocation.
    public var logBytesMax: ByteCount
    /// After how long without a call a container is frozen until its next; `nil` for never.
    public var freezeAfter: Duration?
    /// What a function may have of the processors.
    public var cpu: CPUAllowance
    /// How long the launcher may take to answer after it was started, and a runtime to boot.
    public var startTimeout: Duration

    public init(
        launcher: String, zygoteLibrary: String, runtimes: String, content: String, state: String, socketDirectory: String,
        launcherSocket: String? = nil, instancesMax: Int = 512, containersMax: Int = 2048, blankInstances: Int = 4,
        cgroup: String = "wayside", uidBase: Int? = nil, initTimeout: Duration = .seconds(10), logBytesMax: ByteCount = .kibibytes(256),
        freezeAfter: Duration? = .milliseconds(100), cpu: CPUAllowance = CPUAllowance(), startTimeout: Duration = .seconds(10)
    ) {
        self.launcher = launcher
        self.zygoteLibrary = zygoteLibrary
        self.runtimes = runtimes
        self.content = content
        self.state = state
        self.socketDirectory = socketDirectory
        self.launcherSocket = launcherSocket
        self.instancesMax = instancesMax
        self.containersMax = containersMax
        self.blankInstances = blankInstances
        self.cgroup = cgroup
        self.uidBase = uidBase
        self.initTimeout = initTimeout
        self.logBytesMax = logBytesMax
        self.freezeAfter = freezeAfter
        self.cpu = cpu
        self.startTimeout = startTimeout
    }

    var socketPath: String { launcherSocket ?? "\(socketDirectory)/launcher.sock" }

    /// The command line of a launcher for this configuration, for whoever starts it in the daemon's stead.
    ///
    /// - Parameter peer: the user id of the daemon, the only one that may connect.
    /// - Throws: `configurationInvalid` when the runtimes' manifests cannot be read.
    public func launcherCommand(peer: UInt32) throws(SandboxError) -> [String] {
        arguments(try RuntimeManifest.all(in: runtimes).installed, peer: peer)
    }

    static let mark = "--mark"

    /// The command line of a launcher that the host starts itself, and by which the next process tells whether it would start the same.
    func ownArguments(_ manifests: [RuntimeManifest], peer: UInt32) -> [String] {
        let arguments = arguments(manifests, peer: peer)
        return arguments + [Self.mark, LauncherMark(self, manifests, arguments: arguments).text]
    }

    /// The launcher's command line, its own name first.
    func arguments(_ manifests: [RuntimeManifest], peer: UInt32) -> [String] {
        let options = [
            launcher, "--socket", socketPath, "--content", content, "--state", state, "--peer-uid", "\(peer)",
            "--zygote-library", zygoteLibrary, "--instances-max", "\(instancesMax)", "--containers-max", "\(containersMax)",
            "--blank-instances", "\(blankInstances)", "--cgroup", cgroup,
        ]
        let base = uidBase.map { ["--uid-base", "\($0)"] } ?? []
        return options + base + manifests.flatMap { ["--runtime", $0.launcherArgument(folder: runtimes)] }
    }
}

/// What the host reports by itself, in order, on no particular thread; the receiver must not block.
public enum SandboxHostEvent: Hashable, Sendable {
    /// Everything of the container is gone.
    case containerEnded(UInt64)
    /// Everything of the instance is gone, its containers included: their own reports may still follow, or not.
    case instanceEnded(UInt64)
    /// The launcher is gone, and all instances have been reported before. It is being started again.
    case launcherLost
    /// The launcher takes requests.
    case launcherReady
}
