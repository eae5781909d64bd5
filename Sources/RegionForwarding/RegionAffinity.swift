public import EngineCore

/// In which region the containers of routing values are, as far as this node has sent them there.
///
/// A sticky call that is forwarded (its function is rare, or nothing is free here) leaves its state in a region. Its value's next calls go
/// there too, whatever placement would say by then: the function is called more often, or something is free again. What the region says of
/// the container is the truth (`hit`, `gone`, `new`); this table only says whom to ask.
///
/// A row is forgotten when its value gets a container here, when its region does not take the call, and ``idleMax`` after its last use, by
/// when the container has most likely been ended: then placement decides anew. The table holds ``rowsMax`` rows in two halves: when the
/// younger half is full it becomes the older one, and what was in that and not used since is forgotten. So every operation is O(1), and
/// at least the `rowsMax / 2` values used last are known.
public struct RegionAffinity: Sendable {
    private struct Row {
        var region: String
        var lastUsed: EngineInstant
    }

    public let rowsMax: Int
    public let idleMax: Duration

    private var younger: [SiteRing.Key: Row] = [:]
    private var older: [SiteRing.Key: Row] = [:]

    /// - Parameters:
    ///   - rowsMax: at least 2.
    ///   - idleMax: about as long as a region keeps an idle container.
    public init(rowsMax: Int = 65_536, idleMax: Duration = .seconds(900)) {
        self.rowsMax = max(rowsMax, 2)
        self.idleMax = idleMax
    }

    /// The region that served the value last; `nil` when none did, or too long ago.
    public func region(of key: SiteRing.Key, now: EngineInstant) -> String? {
        guard let row = younger[key] ?? older[key], now - row.lastUsed <= idleMax else { return nil }
        return row.region
    }

    /// The region has served the value.
    public mutating func note(_ key: SiteRing.Key, at region: String, now: EngineInstant) {
        if younger[key] == nil, younger.count >= rowsMax / 2 {
            older = younger
            younger = [:]
        }
        younger[key] = Row(region: region, lastUsed: now)
        older[key] = nil
    }

    /// The value has a container here, or its region cannot be asked.
    public mutating func forget(_ key: SiteRing.Key) {
        younger[key] = nil
        older[key] = nil
    }

    public var rowCount: Int { younger.count + older.count }
}
