public import EngineCore
import Placement
import Synchronization

/// What this node knows of one region, for the operator.
public struct RegionState: Sendable {
    public enum Circuit: String, Sendable, Codable, CaseIterable {
        case closed, open
        /// It may be tried, or is being tried, by one call.
        case halfOpen = "half_open"
    }

    public var peer: RegionPeer
    public var circuit: Circuit
    /// Whether a call may be sent there as far as its circuit is concerned.
    public var isReachable: Bool
    /// It has refused a call for lack of capacity just now, or says that it would.
    public var isSaturated: Bool
    /// Why it was out of reach last, and how long ago that was found; `nil`: it never was.
    public var failure: (reason: String, age: Duration)?
    /// What it answered to the last probe; `nil` if it never did.
    public var health: NodeHealth?
    public var isDraining: Bool
    /// The share of its capacity in use, 0 to 1, by the newer of the last line of reports and the last probe.
    public var load: Double?
    /// There and back, of probes and calls.
    public var roundTrip: Duration?
    /// Calls of this node under way there.
    public var callCount: Int
    /// Since its last line of reports.
    public var reportAge: Duration?
    /// Whether that is within the staleness bound.
    public var isReportFresh: Bool
    /// What it has told of versions.
    public var versionCount: Int
    public var heldCount: Int
    /// What it showed on the newest connection; `nil`: there has been none.
    public var certificate: NodeCertificate?
}

/// What a region has told of one version.
public struct RegionVersionState: Sendable {
    public var function: String
    public var version: FunctionVersion
    public var revision: String
    /// As far as this node knows, its own calls included.
    public var isHeld: Bool
    public var calls: UInt64
    /// How long ago it received a call.
    public var lastReceived: Duration?
    public var idleContainers: Int
    public var coldStart: Duration?
    public var run: Duration?
}

extension RegionDirectory {
    /// In the order of the configuration. O(regions + versions told of).
    public func states(now: EngineInstant = .now()) -> [RegionState] { order.map { $0.state(now: now) } }

    /// The versions a region has told of, the last changed first, at most `limit`; `nil` when there is no such region.
    /// O(versions told of), sorted.
    public func versions(of name: String, limit: Int, now: EngineInstant = .now()) -> [RegionVersionState]? {
        guard let client = client(name) else { return nil }
        let reports = client.reports.withLock { $0 }
        return reports.rows.values.sorted { $0.told.sequence > $1.told.sequence }.prefix(max(0, limit)).map { row in
            let told = row.told
            return RegionVersionState(
                function: told.function, version: told.version, revision: told.revision, isHeld: reports.holds(told.revision),
                calls: told.calls, lastReceived: told.lastReceived.map { .milliseconds($0) + (now - row.toldAt) },
                idleContainers: told.idle, coldStart: told.coldStart.map { .milliseconds($0) }, run: told.run.map { .milliseconds($0) })
        }
    }
}

extension RegionClient {
    fileprivate func state(now: EngineInstant) -> RegionState {
        let reports = reports.withLock { $0 }
        let age = reports.age(now: now)
        let isFresh = age.map { $0.inSeconds <= configuration.chooser.stalenessMax } ?? false
        return status.withLock { status in
            let circuit: RegionState.Circuit =
                switch status.health.circuit {
                case .closed: .closed
                case .open(let until): until <= now ? .halfOpen : .open
                case .halfOpen: .halfOpen
                }
            let tells = reports.isNewer(than: status.saidAt)
            return RegionState(
                peer: peer, circuit: circuit, isReachable: status.health.isReachable(now: now),
                isSaturated: status.health.isSaturated(now: now) || (isFresh && reports.isSaturated),
                failure: status.failure.map { ($0.reason, now - $0.at) }, health: status.said,
                isDraining: tells ? reports.isDraining : status.said?.draining ?? false,
                load: tells ? reports.load : status.said?.load,
                roundTrip: status.roundTrip.value.map { .seconds($0) }, callCount: calls.load(ordering: .relaxed), reportAge: age,
                isReportFresh: isFresh, versionCount: reports.rows.count,
                heldCount: reports.rows.keys.count { reports.holds($0) }, certificate: certificate)
        }
    }
}
