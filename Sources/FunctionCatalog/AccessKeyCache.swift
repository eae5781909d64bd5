import EngineCore

/// Access keys in memory, and ids that were asked for and do not exist.
///
/// What it holds was read at one generation of the database; when that has passed, everything is forgotten and read anew.
struct AccessKeyCache: Sendable {
    struct Key: Sendable {
        let secret: String
        let account: AccountID
    }

    enum Answer: Sendable {
        case known(Key)
        case absent
        case notCached
    }

    private let unknownMax: Int
    private var keys: [String: Key] = [:]
    private var unknown: Set<String> = []
    private(set) var generation: Int64 = 0

    /// - Parameter unknownMax: ids of no key remembered.
    init(unknownMax: Int) { self.unknownMax = unknownMax }

    func answer(_ id: String) -> Answer {
        if let key = keys[id] { return .known(key) }
        return unknown.contains(id) ? .absent : .notCached
    }

    /// Remembers what the database answered, unless the database has changed since.
    mutating func remember(_ id: String, _ key: Key?, generation: Int64) {
        advance(to: generation)
        guard generation == self.generation else { return }
        if let key {
            keys[id] = key
        } else {
            if unknown.count >= unknownMax { unknown.removeAll(keepingCapacity: true) }
            unknown.insert(id)
        }
    }

    /// Forgets everything if the database has changed. A generation already passed changes nothing.
    mutating func advance(to generation: Int64) {
        guard generation > self.generation else { return }
        self.generation = generation
        keys.removeAll()
        unknown.removeAll()
    }
}
