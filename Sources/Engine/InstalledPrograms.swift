internal import Foundation
internal import SystemPackage

/// Where the launcher and the runtimes lie: as configured, or where an installation and a checkout have them.
enum InstalledPrograms {
    static func sandbox(_ configured: String) throws(ConfigurationError) -> FilePath {
        try find(configured, key: "programs.sandbox", names: ["sandbox", ".build/sandbox"], holding: "wayside-launcher")
    }

    static func runtimes(_ configured: String) throws(ConfigurationError) -> FilePath {
        try find(configured, key: "programs.runtimes", names: ["Runtimes", "runtimes"], holding: "python/runtime.json")
    }

    /// - Parameters:
    ///   - names: looked for beside the program and in each folder above it, in this order.
    ///   - mark: what the folder must hold.
    private static func find(
        _ configured: String, key: String, names: [String], holding mark: FilePath
    ) throws(ConfigurationError) -> FilePath {
        func holds(_ folder: FilePath) -> Bool { FileManager.default.fileExists(atPath: folder.pushing(mark).string) }
        if !configured.isEmpty {
            let folder = FilePath(configured)
            guard folder.isAbsolute, holds(folder) else {
                throw ConfigurationError("\(key) is '\(configured)'; give an absolute folder that holds \(mark)")
            }
            return folder
        }
        guard let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            throw ConfigurationError("/proc is not mounted; mount it, or set \(key)")
        }
        var folder = FilePath(program)
        while folder.removeLastComponent() {
            for name in names where holds(folder.appending(name)) { return folder.appending(name) }
        }
        throw ConfigurationError("no folder with \(mark) is beside \(program) or above; build it with `make build`, or set \(key)")
    }
}
