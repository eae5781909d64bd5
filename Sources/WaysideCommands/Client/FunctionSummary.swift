/// What the tool shows of a FunctionConfiguration; the API's own member names.
struct FunctionSummary: Codable {
    let FunctionName: String
    let FunctionArn: String
    let Runtime: String?
    let Handler: String?
    let CodeSize: Int
    let Timeout: Int
    let MemorySize: Int
    let LastModified: String
    let Version: String
    /// This engine's own member; absent where it says nothing.
    let Wayside: Sandbox?

    struct Sandbox: Codable {
        let Egress: [String]?
        let SystemCalls: [String]?
        let Isolation: String?
    }
}
