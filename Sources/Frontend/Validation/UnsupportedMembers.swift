/// Members of CreateFunction and UpdateFunctionConfiguration that the engine does not act on.
///
/// Each is refused unless it says what holds anyway: a function that is silently less than it declares surprises its owner later.
enum UnsupportedMembers {
    static func check(_ request: RequestObject) throws(LambdaError) {
        let packageType = try request.string("PackageType")
        guard packageType ?? "Zip" == "Zip" else { throw .unsupported("PackageType \(packageType ?? "")", "Use Zip.") }
        try refuse(try request.strings("Layers")?.isEmpty == false, "Layers", "Put what they hold into the package.")
        try refuse(
            try request.object("VpcConfig")?.strings("SubnetIds")?.isEmpty == false, "VpcConfig", "Leave it out.")
        try refuse(
            try request.object("DeadLetterConfig")?.string("TargetArn")?.isEmpty == false, "DeadLetterConfig", "Leave it out.")
        try refuse(try request.string("KMSKeyArn")?.isEmpty == false, "KMSKeyArn", "Leave it out.")
        try refuse(
            try request.object("TracingConfig")?.string("Mode") ?? "PassThrough" != "PassThrough", "TracingConfig", "Use PassThrough.")
        try refuse(try request.object("SnapStart")?.string("ApplyOn") ?? "None" != "None", "SnapStart", "Use None.")
        try refuse(
            try request.object("LoggingConfig")?.string("LogFormat") ?? "Text" != "Text", "LoggingConfig", "Use the LogFormat Text.")
        for name in ["FileSystemConfigs", "ImageConfig"] {
            switch request[name] {
            case nil, .array([]), .object([:]): continue
            default: throw .unsupported(name, "Leave it out.")
            }
        }
        try refuse(try request.string("CodeSigningConfigArn")?.isEmpty == false, "CodeSigningConfigArn", "Leave it out.")
    }

    private static func refuse(_ isUnsupported: Bool, _ member: String, _ instead: String) throws(LambdaError) {
        if isUnsupported { throw .unsupported(member, instead) }
    }
}
