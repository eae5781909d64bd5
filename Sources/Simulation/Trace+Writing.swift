internal import Foundation
internal import Placement

extension Trace {
    /// Writes `<path>.json` and `<path>.bin`, each to a temporary name first.
    ///
    /// - Throws: ``TraceError`` when a file cannot be written, or the trace has no calls.
    public func write(path: String) throws(TraceError) {
        guard count > 0 else { throw TraceError("there is no call to write") }
        let header = TraceHeader(
            n: count, mem_mb: costs.map(\.memory), cold_s: costs.map(\.coldStart), rtt_s: costs.map(\.roundTrip),
            spare_s: spareStarts.isEmpty ? nil : spareStarts, account: accounts.isEmpty ? nil : accounts,
            names: names.isEmpty ? nil : names, actual: actual == nil ? nil : true)
        var body = Data(capacity: count * 21)
        Self.append(arrivals, to: &body)
        Self.append(functions, to: &body)
        Self.append(durations, to: &body)
        if let actual {
            Self.append(actual.added, to: &body)
            Self.append(actual.fates.map(\.rawValue), to: &body)
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            try body.write(to: URL(fileURLWithPath: path + ".bin"), options: .atomic)
            try encoder.encode(header).write(to: URL(fileURLWithPath: path + ".json"), options: .atomic)
        } catch {
            throw TraceError("the trace cannot be written to \(path).json and .bin: \(error.localizedDescription)")
        }
    }

    private static func append<Element>(_ column: [Element], to data: inout Data) {
        // SAFETY: Element is a number without padding, and the host is little-endian.
        column.withUnsafeBytes { data.append(contentsOf: $0) }
    }
}
