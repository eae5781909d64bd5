internal import ArgumentParser
internal import Foundation

/// What a deployment says of the function's sandbox. What is not given stays as it is.
struct SandboxSettingsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where it may connect to: HOST:PORT, *.DOMAIN:PORT or NETWORK:PORT; may be repeated. Replaces the whole list when given.",
            valueName: "entry"))
    var egress: [String] = []

    @Flag(name: .customLong("no-egress"), help: "Lets it connect to nothing, as a new function.")
    var clearsEgress = false

    @Option(help: ArgumentHelp("The only system calls it may make: what `wayside sandbox learn` printed.", valueName: "file"))
    var seccompProfile: String?

    @Flag(name: .customLong("no-seccomp-profile"), help: "Lets it make the system calls of its runtime, as a new function.")
    var clearsProfile = false

    func validate() throws {
        guard !clearsEgress || egress.isEmpty else { throw ValidationError("--egress and --no-egress exclude each other.") }
        guard !clearsProfile || seccompProfile == nil else {
            throw ValidationError("--seccomp-profile and --no-seccomp-profile exclude each other.")
        }
    }

    /// The member `Wayside` of the request, or `nil` when nothing of it is given.
    /// - Throws: `CommandFailure` when the profile is none.
    func member() throws -> [String: Any]? {
        var member: [String: Any] = [:]
        if !egress.isEmpty || clearsEgress { member["Egress"] = egress }
        if let seccompProfile { member["SystemCalls"] = try Self.systemCalls(file: seccompProfile) }
        if clearsProfile { member["SystemCalls"] = NSNull() }
        return member.isEmpty ? nil : member
    }

    private struct Profile: Decodable { let systemCalls: [String] }

    private static func systemCalls(file: String) throws -> [String] {
        guard let data = FileManager.default.contents(atPath: file) else { throw CommandFailure("'\(file)' cannot be read.") }
        do {
            return try JSONDecoder().decode(Profile.self, from: data).systemCalls
        } catch {
            throw CommandFailure("'\(file)' is no profile. Give what `wayside sandbox learn` prints: {\"systemCalls\":[…]}.")
        }
    }
}
