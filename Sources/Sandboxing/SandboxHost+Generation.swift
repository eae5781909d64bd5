internal import Foundation
internal import Synchronization

extension SandboxHost {
    /// Changes with every launcher, and stays when a new process of this node goes on with one; 0 before the first. The numbers of
    /// containers are only told apart within one.
    public var launcherGeneration: UInt64 { state.withLock { $0.generation } }

    /// From the process's number and the time of its start (proc(5), field 22 of `stat`), which together no other process has had since the
    /// machine was started.
    static func generation(of process: Int32) -> UInt64 {
        let text = FileManager.default.contents(atPath: "/proc/\(process)/stat").map { String(decoding: $0, as: UTF8.self) }
        // The name in the second field may hold anything, a parenthesis too.
        let fields = text?.split(separator: ")").last?.split(separator: " ")
        guard let fields, fields.count > 19, let ticks = UInt64(fields[19]) else { return .random(in: 1 ... .max) }
        return UInt64(UInt32(bitPattern: process)) << 40 ^ ticks
    }
}
