import EngineCore

/// What the owner's environment variables must keep to.
enum EnvironmentRules {
    /// Set by the engine for every function (lambda-api.md, section 7).
    static let reserved: Set<String> = [
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
    ]

    /// `[a-zA-Z]([a-zA-Z0-9_])+`, and `_HANDLER`, `_X_AMZN_TRACE_ID`, which are refused by name.
    static func isName(_ name: String) -> Bool {
        if reserved.contains(name) { return true }
        let bytes = name.utf8
        guard let first = bytes.first, bytes.count > 1, isNameByte(first), !(0x30...0x39).contains(first),
            first != UInt8(ascii: "-"), first != UInt8(ascii: "_")
        else { return false }
        return bytes.allSatisfy { isNameByte($0) && $0 != UInt8(ascii: "-") }
    }

    /// - Throws: `InvalidParameterValueException` for reserved names, too many bytes, and values that no process can be given.
    static func check(_ variables: [String: String], limits: LambdaLimits) throws(LambdaError) {
        let taken = variables.keys.filter(reserved.contains).sorted()
        guard taken.isEmpty else { throw .reservedEnvironment(keys: taken) }
        if let name = variables.keys.sorted().first(where: { variables[$0]?.utf8.contains(0) == true }) {
            throw LambdaError(.invalidParameterValue, "The environment variable \(name) holds a NUL, which no process can be given.")
        }
        let measured = JSONWriter.object { json in
            for (name, value) in variables.sorted(by: { $0.key < $1.key }) { json.member(name, value) }
        }
        guard measured.count <= limits.environmentBytes.bytes else {
            throw .environmentTooLarge(measured: String(decoding: measured, as: UTF8.self))
        }
    }
}
