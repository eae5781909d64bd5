internal import EngineCore
internal import Foundation
internal import Frontend
internal import FunctionCatalog
internal import NIOCore
internal import Sandboxing

extension SandboxServices {
    /// What the operator asks of the sandboxes, answered by a host.
    init(
        _ catalog: Catalog, _ host: SandboxHost, bundle: @escaping @Sendable (PinnedVersion) async throws(InvocationError) -> String
    ) {
        self.init(
            catalog: catalog,
            explain: { (version) async throws(InvocationError) in
                let path = try await bundle(version)
                do throws(SandboxError) {
                    var report = try await host.inspect(version, bundle: path)
                    if let profile = host.profile(of: version.key) { report.sections.append(Self.section(profile)) }
                    return report
                } catch {
                    throw InvocationError(error)
                }
            },
            learn: { (version, events) async throws(InvocationError) in
                let path = try await bundle(version)
                do throws(SandboxError) { return try await host.learn(version, bundle: path, events: events).profile } catch {
                    throw InvocationError(error)
                }
            })
    }

    /// What the function's calls have cost on this node, beside what the kernel says of its sandbox.
    private static func section(_ profile: FunctionProfile) -> SandboxReport.Section {
        func milliseconds(_ duration: Duration) -> String { String(format: "%.2f ms", duration.inMilliseconds) }
        var lines = [
            "calls \(profile.calls)", "duration \(milliseconds(profile.duration))",
            "memory_peak \(profile.memoryPeak.mebibytesRoundedUp) MiB",
        ]
        if profile.callsWithCPUTime > 0 { lines.append("cpu_time \(milliseconds(profile.cpuTime))") }
        return SandboxReport.Section(name: "profile", lines: lines)
    }
}

extension InvocationError {
    /// Why a container beside the pools could not be had.
    fileprivate init(_ error: SandboxError) {
        let code: Code =
            switch error.code {
            case .probeUnderWay: .overloaded
            case .unreachable, .disconnected: .launcherLost
            default: .startFailed
            }
        self.init(code, error.message)
    }
}
