public import HTTPTypes

extension LambdaError {
    /// The head of the answer; the transport adds the length and the request id.
    public var response: HTTPResponse {
        var response = HTTPResponse(status: .init(code: code.row.status))
        response.headerFields[.contentType] = "application/json"
        response.headerFields[.errorType] = code.rawValue
        if code == .tooManyRequests || code == .serviceUnavailable { response.headerFields[.retryAfter] = "1" }
        return response
    }

    /// The JSON body: `Type`, `Reason` when there is one, and the message under the key the code has.
    public var body: [UInt8] {
        let row = code.row
        return JSONWriter.object { json in
            json.member("Type", row.type?.rawValue)
            json.member("Reason", reason?.rawValue)
            json.member(row.messageKey, message)
        }
    }
}
