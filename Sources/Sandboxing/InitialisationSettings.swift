internal import EngineCore
internal import NIOCore

/// What a built-in runtime is told about its function, once: the payload of INIT (`wayside_frames.h`).
///
/// Made while the launcher works, so that nothing is left to do when the runtime may be told.
struct InitialisationSettings: Sendable {
    let payload: ByteBuffer

    init(handler: String, environment: LambdaEnvironment) {
        // Written on every start, and so not by way of an encoder.
        var json = Array("{\"handler\":".utf8)
        appendJSONString(handler, to: &json)
        json += ",\"environment\":{".utf8
        for (index, variable) in environment.variables.enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            appendJSONString(variable.name, to: &json)
            json.append(UInt8(ascii: ":"))
            appendJSONString(variable.value, to: &json)
        }
        json += "}}".utf8
        payload = ByteBuffer(bytes: json)
    }
}
