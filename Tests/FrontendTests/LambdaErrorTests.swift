import Frontend
import Testing

@Suite struct LambdaErrorTests {
    @Test(arguments: LambdaError.Code.allCases)
    func `every code has a client or server status that fits its fault and its retry`(code: LambdaError.Code) {
        let row = code.row
        #expect((400..<600).contains(row.status))
        #expect(row.isRetryable == (row.status == 429 || row.status >= 500))
        #expect(row.messageKey == "Message" || row.messageKey == "message")
        if let type = row.type { #expect((type == .service) == (row.status >= 500)) }
    }
}
