// One change that waits until regions hold what it makes.
//
//     chosen ──► under way ──► held
//       ▲            │
//       └── refused ◄┘   (again after a pause, and after those that were not asked yet)
//
// The first `breadth` regions in rendezvous order that can be reached are sent the version. Whoever goes out of reach meanwhile gives his
// place to the next. The change is made as soon as a majority of the breadth holds it; the others follow in the background.

import EngineCore

/// Which regions are sent a version next, and whether enough of them hold it. A value without clock or I/O.
struct ReplicationRound: Sendable {
    enum Step: Equatable {
        /// Send it to these now.
        case send([String])
        case wait
        /// Enough regions hold it.
        case done
    }

    private struct Refusal {
        var reason: String
        var at: EngineInstant
    }

    let order: [String]
    let breadth: Int
    private let configuration: ReplicationConfiguration
    private(set) var held: Set<String>
    private var underWay: Set<String> = []
    private var refusals: [String: Refusal] = [:]

    /// - Parameters:
    ///   - order: of ``ReplicaChoice``.
    ///   - held: those that hold it already.
    init(order: [String], held: Set<String>, configuration: ReplicationConfiguration) {
        self.order = order
        self.held = held
        self.configuration = configuration
        breadth = min(configuration.breadth, order.count)
    }

    /// How many must hold it, were all in reach.
    var quorum: Int { breadth / 2 + 1 }

    mutating func step(reachable: Set<String>, now: EngineInstant) -> Step {
        let needed = configuration.isRequired ? quorum : min(quorum, reachable.union(held).count)
        guard held.count < needed else { return .done }
        // What is under way to a region that is out of reach keeps nobody else from being asked.
        let places = breadth - held.union(underWay.intersection(reachable)).count
        let free = order.filter { reachable.contains($0) && !held.contains($0) && !underWay.contains($0) }
        let rested = free.filter { name in refusals[name].map { now - $0.at >= configuration.refusalPause } ?? false }
        let next = (free.filter { refusals[$0] == nil } + rested).prefix(max(0, places))
        guard !next.isEmpty else { return .wait }
        underWay.formUnion(next)
        return .send(Array(next))
    }

    /// - Parameter refusal: why the region does not hold it; `nil`: it does.
    mutating func ended(_ region: String, refusal: String?, now: EngineInstant) {
        underWay.remove(region)
        if let refusal {
            refusals[region] = Refusal(reason: refusal, at: now)
        } else {
            held.insert(region)
        }
    }

    /// What to say when the time is up.
    func failure(reachable: Set<String>) -> String {
        let missing = order.filter { !held.contains($0) }.map { name in
            if !reachable.contains(name) { return "\(name) is out of reach" }
            if let refusal = refusals[name] { return "\(name): \(refusal.reason)" }
            return underWay.contains(name) ? "\(name) did not answer in time" : "\(name) was not asked"
        }
        let names = held.sorted().joined(separator: ", ")
        let holding = held.isEmpty ? "none of them holds" : "only \(names) \(held.count == 1 ? "holds" : "hold")"
        return """
            The change was not made: \(quorum) of the regions must hold it before, and \(holding) it \
            (\(missing.joined(separator: "; "))). What was there is served as before. Try again.
            """
    }
}
