import EngineCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// The answer to one request, before the fields that every answer has.
struct LambdaAnswer: Sendable {
    var status: HTTPResponse.Status
    var fields = HTTPFields()
    var body: ResponseBody
    /// The body, where it is one buffer.
    private(set) var content = ByteBuffer()

    init(status: HTTPResponse.Status, body: ResponseBody = ResponseBody()) {
        self.status = status
        self.body = body
    }

    init(status: HTTPResponse.Status, content: ByteBuffer) {
        self.init(status: status, body: ResponseBody(byteBuffer: content))
        self.content = content
    }

    init(_ error: LambdaError) {
        let response = error.response
        status = response.status
        fields = response.headerFields
        content = ByteBuffer(bytes: error.body)
        body = ResponseBody(byteBuffer: content)
    }

    /// What the engine could not do, with its own name for it.
    init(_ error: InvocationError) {
        self.init(LambdaError(error))
        add(.waysideError, error.code.rawValue)
    }

    /// A JSON object.
    static func json(_ status: HTTPResponse.Status = .ok, _ write: (inout JSONWriter) -> Void) -> LambdaAnswer {
        var answer = LambdaAnswer(status: status, body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSONWriter.object(write))))
        answer.add(.contentType, "application/json")
        return answer
    }

    static let noContent = LambdaAnswer(status: .noContent)

    /// Adds a field that is not there yet; cheaper than setting one.
    mutating func add(_ name: HTTPField.Name, _ value: String) {
        fields.append(HTTPField(name: name, value: value))
    }
}
