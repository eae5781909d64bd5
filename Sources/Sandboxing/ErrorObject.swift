internal import Foundation
internal import NIOCore

/// The error objects of runtimes, of which the engine needs no more than their type.
enum ErrorObject {
    /// Longer ones are not looked into: this runs on an event loop, and no runtime's own error object comes near it.
    private static let lengthMax = 1 << 16

    /// The `errorType` of an error object; `nil` when there is none or `body` is not a JSON object.
    static func type(in body: ByteBuffer) -> String? {
        struct Members: Decodable { let errorType: String? }
        guard body.readableBytes <= lengthMax else { return nil }
        return body.withUnsafeReadableBytes { bytes in
            // Any bytes may come here; what is not an error object has no type.
            (try? JSONDecoder().decode(Members.self, from: Data(bytes)))?.errorType
        }
    }

    /// The error object a stream carries in its trailers; `nil` when it is not base64.
    static func body(base64: String) -> ByteBuffer? {
        Data(base64Encoded: base64).map { ByteBuffer(bytes: $0) }
    }
}
