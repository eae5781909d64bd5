internal import EngineCore

/// Who held how much of the node for how long: a row for each account and sub-pool (POOL-23).
///
/// A row is brought up to date when something of it changes, and not before; that is O(1), and exact, for it counts in whole
/// nanoseconds and bytes. The total is kept by itself, so that a row that was missed shows as a difference.
struct CapacityLedger: Sendable {
    /// No account: instances of the warming pool. No sub-pool: the memory that all share.
    struct Key: Hashable, Sendable {
        var account: AccountID?
        var subPool: SubPoolID?
    }

    struct Sums: Sendable, Equatable {
        var instances = 0
        var containers = 0
        var executing = 0
        var bytes = 0
        var instanceNanoseconds: Int128 = 0
        var executingNanoseconds: Int128 = 0
        var byteNanoseconds: Int128 = 0
        var since = EngineInstant(nanoseconds: .min)

        var isEmpty: Bool { instances == 0 && containers == 0 && executing == 0 && bytes == 0 }

        mutating func advance(to now: EngineInstant) {
            guard now > since else { return }
            if !isEmpty {
                let passed = Int128(now.nanoseconds - since.nanoseconds)
                instanceNanoseconds += passed * Int128(instances)
                executingNanoseconds += passed * Int128(executing)
                byteNanoseconds += passed * Int128(bytes)
            }
            since = now
        }

        mutating func add(_ other: Sums) {
            instances += other.instances
            containers += other.containers
            executing += other.executing
            bytes += other.bytes
            instanceNanoseconds += other.instanceNanoseconds
            executingNanoseconds += other.executingNanoseconds
            byteNanoseconds += other.byteNanoseconds
        }
    }

    struct Change {
        var instances = 0
        var containers = 0
        var executing = 0
        var bytes = 0
    }

    private let rowsMax: Int
    private(set) var keys: [Key?] = []
    private(set) var rows: [Sums] = []
    private(set) var total = Sums()
    /// The sums of rows that were added up because there were too many.
    private(set) var folded = Sums()
    private var places: [Key: Int] = [:]
    private var free: [Int] = []

    init(rowsMax: Int) { self.rowsMax = max(rowsMax, 1) }

    /// The row of an account and sub-pool, made if there is none.
    mutating func row(_ key: Key) -> Int {
        if let place = places[key] { return place }
        if places.count >= rowsMax { fold() }
        let place = free.popLast() ?? rows.count
        if place == rows.count {
            rows.append(Sums())
            keys.append(key)
        } else {
            rows[place] = Sums()
            keys[place] = key
        }
        places[key] = place
        return place
    }

    mutating func change(_ row: Int, _ change: Change, now: EngineInstant) {
        rows[row].advance(to: now)
        total.advance(to: now)
        rows[row].instances += change.instances
        rows[row].containers += change.containers
        rows[row].executing += change.executing
        rows[row].bytes += change.bytes
        total.instances += change.instances
        total.containers += change.containers
        total.executing += change.executing
        total.bytes += change.bytes
    }

    /// A call begins, or is over, in a container of that row: the change of every warm call.
    mutating func changeExecuting(_ row: Int, by count: Int, now: EngineInstant) {
        rows[row].advance(to: now)
        total.advance(to: now)
        rows[row].executing += count
        total.executing += count
    }

    /// Every row, the folded ones last, brought up to `now`.
    func all(now: EngineInstant) -> [(key: Key?, sums: Sums)] {
        var all: [(key: Key?, sums: Sums)] = []
        for (place, key) in keys.enumerated() {
            guard let key else { continue }
            var sums = rows[place]
            sums.advance(to: now)
            all.append((key, sums))
        }
        if folded.instanceNanoseconds > 0 || folded.byteNanoseconds > 0 { all.append((nil, folded)) }
        return all
    }

    func total(now: EngineInstant) -> Sums {
        var sums = total
        sums.advance(to: now)
        return sums
    }

    /// O(rows), and frees all that hold nothing at once.
    private mutating func fold() {
        for (place, key) in keys.enumerated() {
            guard let key, rows[place].isEmpty else { continue }
            folded.add(rows[place])
            places[key] = nil
            keys[place] = nil
            free.append(place)
        }
    }
}
