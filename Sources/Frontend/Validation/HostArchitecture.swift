/// What the functions of this node run on.
enum HostArchitecture {
    #if arch(arm64)
    static let name = "arm64"
    #else
    static let name = "x86_64"
    #endif

    /// - Throws: `InvalidParameterValueException` for a function that asks for another processor than there is.
    static func check(_ architecture: String?) throws(LambdaError) {
        guard let architecture, architecture != name else { return }
        throw .unsupported("Architecture \(architecture)", "This host is \(name): give Architectures [\(name)] or leave it out.")
    }
}
