internal import Foundation
internal import NIOCore

/// What a built-in runtime is told about its function, once: the payload of INIT (`wayside_frames.h`).
///
/// Made while the launcher works, so that nothing is left to do when the runtime may be told.
struct InitialisationSettings: Sendable {
    let payload: ByteBuffer

    init(handler: String, environment: LambdaEnvironment) {
        struct Settings: Encodable {
            let handler: String
            let environment: [String: String]
        }
        let settings = Settings(handler: handler, environment: environment.variables)
        guard let payload = try? JSONEncoder().encode(settings) else {
            // Text and dictionaries of text always have a JSON form.
            preconditionFailure("the settings of a function have no JSON form")
        }
        self.payload = ByteBuffer(bytes: payload)
    }
}
