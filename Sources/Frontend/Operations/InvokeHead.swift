import EngineCore
import HTTPTypes
import NIOCore

/// The headers of an invocation, found in one pass.
struct InvokeHead {
    enum InvocationType: String, CaseIterable {
        case event = "Event"
        case requestResponse = "RequestResponse"
        case dryRun = "DryRun"
    }

    private(set) var type = InvocationType.requestResponse
    private(set) var wantsLog = false
    /// JSON text, no longer in base64.
    private(set) var clientContext: String?
    /// `nil` when there is none, or one so long that the call is to get a new one.
    private(set) var traceID: String?
    /// `nil` when there is none of them.
    private(set) var affinity: AffinityHeaders?

    /// - Throws: `ValidationException` for types that are none, `InvalidRequestContentException` for a client context that is not
    ///   JSON in base64 or too long, `InvalidParameterValueException` for a header of this engine's own that is wrong.
    init(_ fields: HTTPFields, limits: LambdaLimits) throws(LambdaError) {
        var typeText: String?
        var logText: String?
        for field in fields {
            switch field.name.canonicalName {
            case "x-amz-invocation-type": typeText = field.value
            case "x-amz-log-type": logText = field.value
            case "x-amz-client-context": clientContext = try Self.decode(clientContext: field.value, limits: limits)
            case "x-amzn-trace-id": traceID = field.value.utf8.count <= limits.traceIDBytes.bytes ? field.value : nil
            default:
                guard AffinityHeaders.mayBe(field.name) else { continue }
                var headers = affinity ?? AffinityHeaders()
                try headers.take(field)
                affinity = headers
            }
        }
        if typeText == nil, logText == nil { return }
        var validator = ConstraintValidator()
        validator.oneOf(typeText, at: "invocationType", InvocationType.allCases.map(\.rawValue))
        validator.oneOf(logText, at: "logType", ["None", "Tail"])
        try validator.finish()
        type = typeText.flatMap(InvocationType.init) ?? .requestResponse
        wantsLog = logText == "Tail"
    }

    private static func decode(clientContext text: String, limits: LambdaLimits) throws(LambdaError) -> String {
        guard text.utf8.count <= limits.clientContextBytes.bytes else {
            throw LambdaError(.invalidRequestContent, "Client context must be smaller than \(limits.clientContextBytes.bytes) bytes")
        }
        let json = Base64.decode(ByteBuffer(string: text))
        guard let json, json.withUnsafeBytes({ bytes in (try? JSONScanner.validate(bytes)) != nil }) else {
            throw LambdaError(.invalidRequestContent, "Client context must be a valid Base64-encoded JSON object.")
        }
        return String(decoding: json, as: UTF8.self)
    }
}
