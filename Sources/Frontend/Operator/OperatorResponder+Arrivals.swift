import Foundation
import HTTPTypes
import HummingbirdCore
import Telemetry

// Rows of the arrival log, for `wayside record`.
extension OperatorResponder {
    /// Rows in one answer, whatever the caller asks for: 1.8 MB of base64.
    static let arrivalsMax = 65_536

    private struct ArrivalsAnswer: Encodable {
        let next: UInt64
        let missed: UInt64
        let leftOut: UInt64
        let functions: [ArrivalLog.Function]
        /// Packed, see ``ArrivalLog/pack(_:)``; in base64.
        let rows: Data
    }

    /// `GET /v1/arrivals?from=NUMBER` or `?since=EPOCH-SECONDS`, with `&limit=`: the oldest rows from there on, and where to go on.
    func arrivals(_ target: RequestTarget) throws(OperatorFailure) -> Response {
        guard let arrivals = services.arrivals else {
            throw OperatorFailure(.serviceUnavailable, "unavailable", "This node keeps no log of its arrivals.")
        }
        let limit = min(Int(clamping: try number(target, "limit") ?? UInt64(Self.arrivalsMax)), Self.arrivalsMax)
        let first: UInt64
        if let from = try number(target, "from") {
            first = from
        } else if let since = try number(target, "since") {
            first = arrivals.first(Double(since))
        } else {
            throw OperatorFailure(.badRequest, "invalid_range", "Say from which row, or since when: ?from= or ?since=.")
        }
        let extract = arrivals.rows(first, limit)
        return json(
            ArrivalsAnswer(
                next: extract.next, missed: extract.missed, leftOut: extract.leftOut, functions: extract.functions,
                rows: Data(ArrivalLog.pack(extract.rows))))
    }

    private func number(_ target: RequestTarget, _ name: String) throws(OperatorFailure) -> UInt64? {
        guard let text = target.parameter(name) else { return nil }
        guard let number = UInt64(text) else {
            throw OperatorFailure(.badRequest, "invalid_range", "The \(name) '\(text.prefix(40))' is no whole number.")
        }
        return number
    }
}
