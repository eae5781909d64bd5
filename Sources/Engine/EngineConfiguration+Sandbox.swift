internal import CapacityPools
internal import Glibc
internal import Sandboxing
internal import SystemPackage

extension EngineConfiguration {
    /// What the host of the sandboxes is told.
    var sandbox: SandboxHostConfiguration {
        let run = DataFolder.run(data)
        return SandboxHostConfiguration(
            launcher: sandboxPrograms.appending("wayside-launcher").string,
            zygoteLibrary: sandboxPrograms.appending("libwayside-zygote.so").string, runtimes: runtimes.string,
            content: DataFolder.content(data).string, state: DataFolder.state(data).string, socketDirectory: run.string,
            launcherSocket: launcherSocket?.string, instancesMax: instancesMax, containersMax: capacity.pool.containersMax,
            blankInstances: blankInstances, cgroup: cgroup,
            uidBase: uidBase, initTimeout: initTimeout, logBytesMax: logBytesMax, freezeAfter: freezeAfter, cpu: cpu)
    }

    /// Prepares the folders of a launcher that runs by itself and gives those of the node to its user.
    ///
    /// - Parameter user: the user id of the node.
    /// - Returns: the launcher's command line, its program first.
    /// - Throws: `ConfigurationError` when there is nothing to start by itself, or a folder cannot be made or given away.
    public func launcherCommand(user: UInt32) throws -> [String] {
        guard let launcherSocket else {
            throw ConfigurationError("sandbox.launcherSocket is empty: the node starts its launcher itself; set the key for both")
        }
        try DataFolder.prepare(data, owner: user)
        var sandbox = sandbox
        // The launcher's own state is no business of the node's user.
        sandbox.state = launcherSocket.removingLastComponent().string
        return try sandbox.launcherCommand(peer: user)
    }
}
