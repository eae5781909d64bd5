internal import EngineCore

/// The complete environment of a function: Lambda's variables and the owner's.
///
/// Three layers, the later one wins: defaults an owner may replace, the owner's own, what is reserved. Credentials are in none
/// but the owner's: the engine has no identity to lend, and made-up ones would only turn a clear "no credentials" into a
/// confusing refusal.
struct LambdaEnvironment: Sendable {
    /// Each name once, in no particular order.
    let variables: [(name: String, value: String)]

    /// O(the owner's variables): made anew for each container, for only the log stream differs.
    ///
    /// - Parameters:
    ///   - logStream: the name of the log stream this container writes to.
    init(for version: PinnedVersion, manifest: RuntimeManifest, logStream: String) {
        var defaults = Self.defaults
        if !version.sandbox.egress.isNone {
            defaults += EgressPort.variables(for: version.sandbox.egress, hasRuntimeAPI: manifest.kind == .execLate).map { ($0, $1) }
        }
        var reserved = [
            ("_HANDLER", version.handler),
            ("AWS_REGION", version.key.region),
            ("AWS_DEFAULT_REGION", version.key.region),
            ("AWS_LAMBDA_FUNCTION_NAME", version.key.name),
            ("AWS_LAMBDA_FUNCTION_VERSION", version.version.description),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "\(version.memory.mebibytesRoundedUp)"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/\(version.key.name)"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", logStream),
            ("LAMBDA_TASK_ROOT", "/var/task"),
            ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ]
        if manifest.kind == .execLate {
            reserved.append(("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"))
        } else {
            // Lambda does not set it for `provided`.
            reserved.append(("AWS_EXECUTION_ENV", "AWS_Lambda_\(version.runtime)"))
        }
        let owners = version.environment.filter { name, _ in !reserved.contains { $0.0 == name } }
        variables = defaults.filter { owners[$0.0] == nil } + owners.map { ($0, $1) } + reserved
    }

    /// What an owner may replace.
    private static let defaults = [
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin"),
        ("LD_LIBRARY_PATH", "/var/task:/var/task/lib:/opt/lib"),
        ("NODE_PATH", "/opt/nodejs/node_modules"),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
    ]

    /// A new log stream name: `2026/01/02/[$LATEST]` and 32 hexadecimal digits.
    static func newLogStream(for version: PinnedVersion, epochMilliseconds: Int64) -> String {
        let unique = RequestID().description.filter { $0 != "-" }
        return "\(CivilTime(epochMilliseconds: epochMilliseconds).date.text(separator: "/"))/[\(version.version)]\(unique)"
    }

    /// `NAME=value`.
    var strings: [String] { variables.map { "\($0.name)=\($0.value)" } }
}
