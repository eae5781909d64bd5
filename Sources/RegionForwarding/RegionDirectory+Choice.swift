// Which region takes a forwarded call?
//
// The regions known to hold the version are asked first, and `RegionChooser` says which of them is best. Only when none of them can take
// the call, or none is known, is a region chosen among all: it is sent the version on demand, and from then on it is one that holds it.
// So a version spreads as far as it is needed, and no call goes to a region that still waits for its bytes while another has them.

public import EngineCore
public import Placement
import Synchronization

extension RegionDirectory {
    /// What is known of every region, for a call of `version`, in the order of the configuration. O(regions).
    public func candidates(for version: PinnedVersion, now: EngineInstant = .now()) -> [RegionCandidate] {
        order.map { $0.candidate(revision: version.revision, now: now) }
    }

    /// The regions known to hold a version, whether they can be reached or not. O(regions).
    public func holders(revision: String) -> [String] {
        order.compactMap { client in client.reports.withLock { $0.holds(revision) } ? client.name : nil }
    }

    /// The region that a call of `version` is to be forwarded to.
    ///
    /// - Parameters:
    ///   - coldStart: from nothing to the function's first code, as measured here; `nil`: as regions have measured it.
    ///   - duration: of a run; `nil`: as regions have measured it.
    ///   - tried: regions that have refused or failed this very call.
    /// - Complexity: O(regions).
    public func choose(
        for version: PinnedVersion, coldStart: Duration? = nil, duration: Duration? = nil, tried: Set<String> = [],
        now: EngineInstant = .now()
    ) -> RegionSelection {
        let candidates = candidates(for: version, now: now)
        let measured = measured(version.revision)
        let call = RegionChooser.Call(
            coldStart: coldStart?.inSeconds ?? measured.coldStart ?? configuration.coldStartPrior.inSeconds,
            duration: duration?.inSeconds ?? measured.run ?? configuration.durationPrior.inSeconds, hash: Self.hash(version.revision))
        var random = SystemRandomNumberGenerator()
        let isNearest = configuration.chooser.rule == .nearest
        var choice = configuration.chooser.choose(
            call, among: isNearest ? Self.opened(candidates) : candidates, tried: tried, using: &random)
        var supplies = isNearest
        if choice.region == nil {
            choice = configuration.chooser.choose(call, among: Self.opened(candidates), tried: tried, using: &random)
            supplies = true
        }
        supplies = supplies || !choice.scores.contains { $0.exclusion == nil && $0.region != choice.region }
        let scores = zip(choice.scores, candidates).map { RegionScore($0, of: $1) }
        let chosen = choice.region
        let reachable = candidates.filter { $0.isHealthy && $0.name != chosen }.map(\.name)
        return RegionSelection(
            region: chosen, suppliesIfMissing: supplies, choice: RegionChoice(basis: choice.basis, scores: scores),
            reachable: (chosen.map { [$0] } ?? []) + reachable, declined: tried.union(chosen == nil ? reachable : []))
    }

    /// All as if they held the version.
    private static func opened(_ candidates: [RegionCandidate]) -> [RegionCandidate] {
        candidates.map { candidate in
            var candidate = candidate
            candidate.holdsVersion = true
            return candidate
        }
    }

    /// What the regions have measured of a version, in seconds: the longest, for it is not known which of them will be like it.
    private func measured(_ revision: String) -> (coldStart: Double?, run: Double?) {
        let told = order.compactMap { client in client.reports.withLock { $0.rows[revision]?.told } }
        return (told.compactMap(\.coldStart).max().map { $0 / 1000 }, told.compactMap(\.run).max().map { $0 / 1000 })
    }

    /// FNV-1a, 64 bits: the same at every node and in every process, unlike the hashes of the standard library. Nobody gains by ties
    /// that fall one way, so it needs no key.
    static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }
}

extension RegionClient {
    func candidate(revision: String, now: EngineInstant) -> RegionCandidate {
        let underWay = calls.load(ordering: .relaxed)
        let (health, said, saidAt, roundTrip) = status.withLock { ($0.health, $0.said, $0.saidAt, $0.roundTrip.value) }
        return reports.withLock { reports in
            // The load is that of the newer of the last line and the last probe.
            let tells = reports.isNewer(than: saidAt)
            let age = reports.age(now: now)
            let isFresh = age.map { $0.inSeconds <= configuration.chooser.stalenessMax } ?? false
            return RegionCandidate(
                name: name, isHealthy: health.isReachable(now: now) && !(isFresh && reports.isDraining),
                isSaturated: health.isSaturated(now: now) || (isFresh && reports.isSaturated), holdsVersion: reports.holds(revision),
                roundTrip: roundTrip, load: tells ? reports.load : said?.load ?? 0, underWay: underWay,
                history: reports.history(revision, now: now), reportAge: age?.inSeconds)
        }
    }
}

extension RegionScore {
    /// The score in milliseconds, with what it comes from.
    init(_ score: RegionChooser.Score, of candidate: RegionCandidate) {
        self.init(
            region: score.region, exclusion: score.exclusion, roundTrip: score.roundTrip * 1000, queueing: score.queueing * 1000,
            start: score.start * 1000, holdsVersion: candidate.holdsVersion, load: candidate.load, underWay: candidate.underWay,
            reportAge: candidate.reportAge.map { $0 * 1000 }, lastReceived: candidate.history.map { $0.lastReceived * 1000 },
            idleContainers: candidate.history?.idleContainers)
    }
}
