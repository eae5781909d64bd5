public import EngineCore

/// One row of the sticky table: a routing value and the container that serves it.
public struct AffinityRow: Hashable, Sendable {
    public let key: AffinityKey
    /// May still be starting; then the value's other calls wait for it (STICK-18).
    public internal(set) var container: ContainerID
    /// When the value came to this container.
    public internal(set) var created: EngineInstant
    public internal(set) var lastUsed: EngineInstant
    /// Calls that this container has served for the value, the one that made the row included.
    public internal(set) var uses: Int
}

/// A row as it is written down for the next process: times as ages, since a process' instants mean nothing to another.
public struct SavedAffinityRow: Hashable, Sendable, Codable {
    public let key: AffinityKey
    public let containerNumber: UInt64
    public let ageMilliseconds: Int
    public let idleMilliseconds: Int
    public let uses: Int

    init(_ row: AffinityRow, now: EngineInstant) {
        key = row.key
        containerNumber = row.container.number
        ageMilliseconds = Self.milliseconds(from: row.created, to: now)
        idleMilliseconds = Self.milliseconds(from: row.lastUsed, to: now)
        uses = row.uses
    }

    /// The row at `now`. Ages that cannot be are taken as the nearest that can.
    func row(now: EngineInstant) -> AffinityRow {
        let idle = min(max(0, idleMilliseconds), Self.ageMillisecondsMax)
        let age = min(max(idle, ageMilliseconds), Self.ageMillisecondsMax)
        return AffinityRow(
            key: key, container: ContainerID(number: containerNumber), created: now + .milliseconds(-age),
            lastUsed: now + .milliseconds(-idle), uses: max(1, uses))
    }

    /// A year.
    private static let ageMillisecondsMax = 365 * 86_400_000

    private static func milliseconds(from earlier: EngineInstant, to later: EngineInstant) -> Int {
        max(0, Int((later - earlier).wholeNanoseconds / 1_000_000))
    }
}
