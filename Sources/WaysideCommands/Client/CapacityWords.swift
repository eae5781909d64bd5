internal import EngineCore

/// The words for reasons and ways of capacity. A reason this program does not know is shown by its name.
enum CapacityWords {
    /// `3 for a lower price, 1 for memory`, the most frequent first; empty when there is none.
    static func list(_ counts: [String: Int]) -> String {
        let nonzero = counts.filter { $0.value > 0 }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return nonzero.map { name, count in
            let words = CapacityWait(rawValue: name).map { "for \(wait($0))" } ?? CapacityRefusal(rawValue: name).map(refusal)
            return "\(count) \(words ?? name)"
        }.joined(separator: ", ")
    }

    /// What a call waits for.
    static func wait(_ wait: CapacityWait) -> String {
        switch wait {
        case .shortage: "free capacity"
        case .dedicated: "a dedicated container"
        case .permissionLimit: "its account's own"
        case .variablePrice: "a lower price"
        case .cheaperPeriod: "a cheaper period"
        case .affinity: "its own container"
        }
    }

    /// Why a call gets nothing.
    static func refusal(_ refusal: CapacityRefusal) -> String {
        switch refusal {
        case .noCapacity: "no capacity"
        case .rejectedByPolicy: "by policy"
        case .noPermission: "no permission"
        case .reservedConcurrency: "reserved concurrency"
        case .affinity: "its container not to be had"
        case .variableCapacity: "no variable capacity in time"
        }
    }

    /// How a call came by its container.
    static func way(_ branch: CapacityBranch) -> String {
        switch branch {
        case .loaded: "an idle container"
        case .ownInstance: "a new container in an instance of the account"
        case .warmingPool: "an instance of the warming pool"
        case .newInstance: "a new instance"
        }
    }

    /// Why nothing was warm.
    static func cause(_ cause: ColdCause) -> String {
        switch cause {
        case .first: "the function was not called before"
        case .busy: "its containers were all busy"
        case .expired: "its last one had been kept for its time"
        case .evicted: "its last one had given way to others"
        case .ended: "its last one ended by itself"
        case .killed: "its last one was ended by the operator"
        case .changed: "the function was changed"
        case .affinity: "the call wanted another container than the idle ones"
        }
    }
}
