internal import SystemPackage
#if canImport(Glibc)
internal import Glibc
#endif

/// The files of one container's cgroup that the daemon holds open. Where no cgroup is usable there are none.
struct ContainerCgroup {
    /// 1 or 2: the two versions write the same things differently.
    let version: Int
    let memoryPeak: SystemPackage.FileDescriptor?
    let cpuTime: SystemPackage.FileDescriptor?
    let freezer: SystemPackage.FileDescriptor?
    /// What is used now; beside the file of the peak, and open to all for reading.
    private let memoryUsage: SystemPackage.FileDescriptor?

    init(_ given: ContainerDescriptors, version: Int) {
        self.version = version
        (memoryPeak, cpuTime, freezer) = (given.memoryPeak, given.cpuTime, given.freezer)
        memoryUsage = given.memoryPeak.flatMap { Self.openUsage(beside: $0, version: version) }
    }

    /// Stops every process of the container where it is (freezer-subsystem.rst; cgroup-v2.rst, `cgroup.freeze`). The kernel brings
    /// them to a stop after the write has returned.
    ///
    /// - Returns: false when the kernel does not take it.
    func freeze() -> Bool {
        guard let freezer else { return false }
        return CgroupFile.write(version == 2 ? "1" : "FROZEN", to: freezer)
    }

    /// Lets every process go on.
    func thaw() -> Bool {
        guard let freezer else { return false }
        return CgroupFile.write(version == 2 ? "0" : "THAWED", to: freezer)
    }

    /// The most memory used so far, in bytes.
    func readMemoryPeak() -> Int? { memoryPeak.flatMap(CgroupFile.number) }

    /// The memory used now, files included, in bytes.
    func readMemoryUsage() -> Int? { memoryUsage.flatMap(CgroupFile.number) }

    /// The longest path of a cgroup's file that is looked for.
    private static let pathMax = 1024

    /// - Returns: `nil` where the launcher's file system is not ours.
    private static func openUsage(beside peak: SystemPackage.FileDescriptor, version: Int) -> SystemPackage.FileDescriptor? {
        // proc_pid_fd(5).
        let path = withUnsafeTemporaryAllocation(of: CChar.self, capacity: pathMax) { text -> FilePath? in
            guard let start = text.baseAddress else { return nil }
            let length = readlink("/proc/self/fd/\(peak.rawValue)", start, text.count - 1)
            guard length > 0 else { return nil }
            text[length] = 0
            return FilePath(platformString: start)
        }
        let name = version == 2 ? "memory.current" : "memory.usage_in_bytes"
        guard let file = path?.removingLastComponent().appending(name) else { return nil }
        return try? SystemPackage.FileDescriptor.open(file, .readOnly, options: .closeOnExec)
    }

    /// The processor time used so far.
    func readCPUTime() -> Duration? {
        guard let number = cpuTime.flatMap(CgroupFile.number) else { return nil }
        return version == 2 ? .microseconds(number) : .nanoseconds(number)
    }

    func close() {
        for file in [memoryPeak, cpuTime, freezer, memoryUsage].compactMap({ $0 }) {
            // A file of a cgroup is gone after close(2) whatever it answers.
            try? file.close()
        }
    }
}
