public import HTTPTypes

extension HTTPField.Name {
    /// `x-amzn-ErrorType`: the name of the exception.
    static let errorType = known("x-amzn-ErrorType")
    static let amzDate = known("X-Amz-Date")
    static let securityToken = known("X-Amz-Security-Token")

    /// A name spelled in this file.
    private static func known(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is not a legal field name.") }
        return name
    }
}

extension LambdaError {
    /// The head of the answer; the transport adds the length and the request id.
    public var response: HTTPResponse {
        var response = HTTPResponse(status: .init(code: code.row.status))
        response.headerFields[.contentType] = "application/json"
        response.headerFields[.errorType] = code.rawValue
        if code == .tooManyRequests { response.headerFields[.retryAfter] = "1" }
        return response
    }

    /// The JSON body: `Type`, `Reason` when there is one, and the message under the key the code has.
    public var body: [UInt8] {
        let row = code.row
        var text = "{"
        if let type = row.type { text += "\"Type\":\"\(type.rawValue)\"," }
        if let reason { text += "\"Reason\":\"\(reason.rawValue)\"," }
        text += "\"\(row.messageKey)\":"
        Self.appendQuoted(message, to: &text)
        text += "}"
        return Array(text.utf8)
    }

    /// Appends `value` as a JSON string (RFC 8259, section 7).
    private static func appendQuoted(_ value: String, to text: inout String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
