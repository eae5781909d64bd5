internal import EngineCore

/// What ``WarmingSizer`` has learnt about the times of day, to be kept over a restart.
///
/// Written as `{"general/python/128": {"20401": [108, 12, 109, 12]}}`: to a day since 1970 its five minutes in which anything was wanted,
/// counted from midnight UTC, each followed by the need. At most 64 sub-pools, 9 days and 576 numbers: about 2 KiB to a busy day.
public struct SizingHistory: Hashable, Sendable, Codable {
    /// Sub-pools that are remembered.
    public static let subPoolsMax = 64

    var subPools: [SubPoolID: SurgeHistory] = [:]

    public init() {}

    public var isEmpty: Bool { subPools.isEmpty }

    /// - Throws: `DecodingError` when it is not such a document, or is larger than one that this writes.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let document = try container.decode([String: [String: [Int]]].self)
        func refuse(_ what: String) -> DecodingError {
            DecodingError.dataCorruptedError(in: container, debugDescription: "not a history of demand: \(what)")
        }
        guard document.count <= Self.subPoolsMax else { throw refuse("more than \(Self.subPoolsMax) sub-pools") }
        for (name, days) in document {
            guard let id = SubPoolID(name) else { throw refuse("the sub-pool \(name)") }
            guard days.count <= SurgeHistory.daysMax + 2 else { throw refuse("too many days of \(name)") }
            var history = SurgeHistory()
            for (number, pairs) in days {
                guard let number = Int64(number), abs(number) < 1_000_000, let peaks = Self.peaks(pairs) else {
                    throw refuse("day \(number) of \(name)")
                }
                history.days.append(SurgeHistory.Day(number: number, peaks: peaks))
            }
            subPools[id] = history
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var document: [String: [String: [Int]]] = [:]
        for (id, history) in subPools where !history.days.isEmpty {
            document[id.description] = history.days.reduce(into: [:]) { days, day in
                days["\(day.number)"] = day.peaks.indices.filter { day.peaks[$0] > 0 }.flatMap { [$0, Int(day.peaks[$0])] }
            }
        }
        var container = encoder.singleValueContainer()
        try container.encode(document)
    }

    private static func peaks(_ pairs: [Int]) -> [UInt16]? {
        guard pairs.count % 2 == 0, pairs.count <= 2 * SurgeHistory.binsOfDay else { return nil }
        var peaks = [UInt16](repeating: 0, count: SurgeHistory.binsOfDay)
        for index in stride(from: 0, to: pairs.count, by: 2) {
            guard peaks.indices.contains(pairs[index]), let peak = UInt16(exactly: pairs[index + 1]) else { return nil }
            peaks[pairs[index]] = peak
        }
        return peaks
    }
}
