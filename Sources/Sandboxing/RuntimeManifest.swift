internal import Foundation

/// One runtime of the `Runtimes` folder, as its `runtime.json` describes it.
///
/// The folder's presence is the whole registration: the launcher is told of each manifest on its command line.
public struct RuntimeManifest: Hashable, Sendable, Decodable {
    /// How a runtime comes to life, which decides how much of it can be prepared before its function is known.
    public enum Kind: String, Hashable, Sendable, Decodable {
        /// Forked from a booted interpreter without user code; speaks frames.
        case fork
        /// Executed before its function is known; speaks frames.
        case execEarly = "exec_early"
        /// The bundle's own program, executed once the function is known; speaks the Lambda Runtime API.
        case execLate = "exec_late"
    }

    /// What kind of program it is, which decides what system calls it may make (`seccomp_rules.def`).
    public enum Family: String, Hashable, Sendable, Decodable {
        /// Interprets its functions: the fewest calls.
        case interpreter
        /// Makes code while it runs.
        case jit
        /// Any program: the most calls.
        case native
    }

    /// The launcher's name of it: lower-case letters, digits, `-` and `_`.
    public let name: String
    public let description: String
    public let kind: Kind
    /// `nil` when the manifest does not say; that is `native`.
    public let family: Family?
    /// The Lambda runtime identifiers it serves, such as `python3.13`.
    public let identifiers: [String]
    /// Program and arguments, separated by blanks; paths are those inside the sandbox.
    public let command: String

    /// Whether the runtime can be booted for the warming pool before its function is known.
    public var bootsEarly: Bool { kind != .execLate }

    /// The program that has to be on this host, for `/usr` is the host's inside a sandbox; `nil` for one that comes with the bundle
    /// or with the runtime's folder.
    private var hostProgram: String? {
        guard kind != .execLate, let program = command.split(separator: " ").first, !program.hasPrefix("/var/") else { return nil }
        return String(program)
    }

    /// Whether its program is on this host.
    var isInstalled: Bool { hostProgram.map { FileManager.default.isExecutableFile(atPath: $0) } ?? true }

    /// Reads `<folder>/*/runtime.json`, in the order of their names. Folders without one are no runtimes and are passed over.
    ///
    /// - Returns: those whose program is on this host, and those whose is not: an operator need not install all of them.
    /// - Throws: `configurationInvalid` when the folder cannot be read, a manifest is malformed, or two claim one name or identifier.
    static func all(in folder: String) throws(SandboxError) -> (installed: [RuntimeManifest], missing: [RuntimeManifest]) {
        let manifests = try read(folder)
        return (manifests.filter(\.isInstalled), manifests.filter { !$0.isInstalled })
    }

    private static func read(_ folder: String) throws(SandboxError) -> [RuntimeManifest] {
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted() } catch {
            throw SandboxError(.configurationInvalid, "the runtimes folder \(folder) cannot be read (\(error.localizedDescription))")
        }
        var manifests: [RuntimeManifest] = []
        var claimed: Set<String> = []
        for name in names {
            let path = "\(folder)/\(name)/runtime.json"
            guard let data = FileManager.default.contents(atPath: path) else { continue }
            let manifest = try decode(data, path)
            guard manifest.name == name else {
                throw SandboxError(.configurationInvalid, "\(path) is named \(manifest.name); a manifest carries its folder's name")
            }
            for identifier in manifest.identifiers {
                guard claimed.insert(identifier).inserted else {
                    throw SandboxError(.configurationInvalid, "\(path): another runtime serves \(identifier) already; remove it from one")
                }
            }
            manifests.append(manifest)
        }
        guard !manifests.isEmpty else {
            throw SandboxError(.configurationInvalid, "no runtime.json below \(folder); name the Runtimes folder of the installation")
        }
        return manifests
    }

    static func decode(_ data: Data, _ path: String) throws(SandboxError) -> RuntimeManifest {
        do { return try JSONDecoder().decode(RuntimeManifest.self, from: data) } catch {
            throw SandboxError(.configurationInvalid, "\(path) is not a runtime manifest (\(error)); see Runtimes/python/runtime.json")
        }
    }

    /// The launcher's `--runtime` argument for this runtime, whose folder is `<folder>/<name>`.
    func launcherArgument(folder: String) -> String {
        let family = family.map { "/\($0.rawValue)" } ?? ""
        return "\(name):\(kind.rawValue)\(family):\(folder)/\(name):\(command)"
    }
}
