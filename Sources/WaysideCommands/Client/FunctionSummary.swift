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

    struct AffinityRule: Codable {
        let Source: String
        let Patterns: [String]?
        let Buckets: Int?
        let Mode: String
        let Busy: String
        let WaitMilliseconds: Int

        /// On one line, for people.
        var text: String {
            var parts = [Source]
            if let Patterns { parts.append("patterns " + Patterns.joined(separator: " ")) }
            if let Buckets { parts.append("\(Buckets) buckets") }
            parts.append(Mode)
            parts.append(Busy == "wait" ? "busy: wait \(WaitMilliseconds) ms" : "busy: \(Busy)")
            return parts.joined(separator: ", ")
        }
    }

    struct Sandbox: Codable {
        let Egress: [String]?
        let SystemCalls: [String]?
        let Isolation: String?
        let Affinity: AffinityRule?
        let Idempotent: Bool?
        let ServeStale: Bool?
        let Latency: String?
        /// Those that hold this version.
        let Regions: [String]?

        /// What it says of placement, on one line, for people; `nil`: nothing.
        var placementText: String? {
            var parts: [String] = []
            if Idempotent == true { parts.append("idempotent") }
            if ServeStale == true { parts.append("may be served stale") }
            if let Latency { parts.append("latency \(Latency)") }
            return parts.isEmpty ? nil : parts.joined(separator: ", ")
        }
    }
}
