internal import Foundation
internal import Telemetry

/// Asks a node for rows of its arrival log.
struct ArrivalsClient {
    /// Rows in one answer.
    static let limit = 65_536

    /// The node's answer, as ``ArrivalLog/Extract`` goes over the wire.
    struct Answer: Decodable {
        let next: UInt64
        let missed: UInt64
        let leftOut: UInt64
        let functions: [ArrivalLog.Function]
        /// Packed, in base64.
        let rows: Data
    }

    let node: OperatorClient

    func rows(from first: UInt64, limit: Int = Self.limit) async throws -> Answer {
        try await node.get("/v1/arrivals?from=\(first)&limit=\(limit)", as: Answer.self)
    }

    /// The rows of calls that arrived then or later.
    func rows(since epochSeconds: Double) async throws -> Answer {
        try await node.get("/v1/arrivals?since=\(Int(epochSeconds.rounded(.down)))&limit=\(Self.limit)", as: Answer.self)
    }
}
