import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import Sandboxing

/// The real `wayside-launcher`, as built by `make build`, with a folder of its own that goes with it.
///
/// Needs root, as the launcher does where it is to enforce everything. It ends with the test process at the latest, however that ends,
/// and writes to a pipe of its own: one that lived on with this process's output would keep `swift test` reading for ever.
final class RealLauncher: Sendable {
    let folder: URL
    let arguments: [String]
    private let process: LauncherProcess?

    var socketPath: String { folder.appending(path: "launcher.sock").path }
    var content: URL { folder.appending(path: "content") }

    private init(isStarted: Bool) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let binaries = root.appending(path: ".build/sandbox")
        folder = FileManager.default.temporaryDirectory.appending(path: "wayside-\(UUID().uuidString)")
        for name in ["content", "state"] {
            try FileManager.default.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        arguments = [
            binaries.appending(path: "wayside-launcher").path, "--socket", folder.appending(path: "launcher.sock").path,
            "--content", folder.appending(path: "content").path, "--state", folder.appending(path: "state").path,
            "--peer-uid", "\(getuid())", "--cgroup", "wayside-\(folder.lastPathComponent.suffix(8).lowercased())",
            "--zygote-library", binaries.appending(path: "libwayside-zygote.so").path,
            "--runtime", "python:fork:\(root.path)/Runtimes/python:/usr/bin/python3 -I -S -B -X utf8 /var/runtime/bootstrap.py",
            "--runtime", "provided:exec_late:\(root.path)/Runtimes/provided:/var/task/bootstrap",
        ]
        process =
            isStarted
            ? try LauncherProcess(arguments, on: MultiThreadedEventLoopGroup.singleton.next(), logger: Logger(label: "test")) : nil
    }

    /// Runs `body` with a launcher, and ends it afterwards, whatever becomes of `body`.
    ///
    /// - Parameter isStarted: false only prepares its folder and its command line.
    static func with(isStarted: Bool = true, _ body: (RealLauncher) async throws -> Void) async throws {
        let launcher = try RealLauncher(isStarted: isStarted)
        do {
            try await body(launcher)
        } catch {
            await launcher.end()
            throw error
        }
        await launcher.end()
    }

    /// Takes as long as the launcher takes to end, and no longer than it may (`LauncherProcess`).
    private func end() async {
        if let process {
            process.terminate()
            // The exit is only ever fulfilled, and is certain to come.
            _ = try? await process.exit.get()
        }
        try? FileManager.default.removeItem(at: folder)
    }

    /// Connects, waiting for the launcher to listen.
    func connect(
        onEvent: @escaping @Sendable (LauncherEvent) -> Void
    ) async throws -> (connection: LauncherConnection, capabilities: LauncherCapabilities) {
        for _ in 0..<500 {
            if let connected = try? await LauncherConnection.connect(path: socketPath, onEvent: onEvent) { return connected }
            try await Task.sleep(for: .milliseconds(10))
        }
        return try await LauncherConnection.connect(path: socketPath, onEvent: onEvent)
    }

    /// Puts an executable `bootstrap` into the content folder.
    func addBundle(_ name: String, script: String) throws {
        let bundle = content.appending(path: name)
        try FileManager.default.createDirectory(at: bundle, withIntermediateDirectories: true)
        try Self.writeProgram(script, to: bundle.appending(path: "bootstrap"))
    }

    /// Writes a file that can be executed at once. Another program writes it: a descriptor of this process, open for writing, can be in
    /// a child that another test starts at that moment, and until that has executed its own program nobody can execute the file
    /// (ETXTBSY).
    static func writeProgram(_ text: String, to file: URL) throws {
        let draft = file.appendingPathExtension("draft")
        try text.write(to: draft, atomically: false, encoding: .utf8)
        let install = try Process.run(URL(filePath: "/usr/bin/install"), arguments: ["-m", "755", draft.path, file.path])
        install.waitUntilExit()
        try #require(install.terminationStatus == 0)
        try FileManager.default.removeItem(at: draft)
    }
}
