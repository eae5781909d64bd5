// Which region takes a forwarded call?
//
// What. The call's expected added seconds at each region that may take it, and the least of them wins:
//
//     round trip                   measured there and back, peak-aware: one slow answer counts at once
//   + queueing                     run time × load / (1 − load): what a caller waits at a station that is so busy (M/M/1)
//   + P(cold) × cold start         whether a container is warm there, by THAT region's own history of THIS function
//
// P(cold) is 0 while the region tells of an idle container of the function; else the age of its last call as a share of the time it
// keeps a container, for the older, the likelier it has gone or is another call's. A region without history is cold for certain. So
// POPs that ask for the same rare function agree: the first call makes one region warm, its report makes the others find that region
// cheaper than their own nearest by a cold start, if the way is not longer by more than that (PLACE-11, 13).
//
// A report older than the staleness bound says nothing: round trip and queueing decide alone, equally for all, and the choice says so
// (PLACE-12). Regions that are out of reach, full, or without the current version are not candidates, however warm (PLACE-10, 14).
//
// Two whose scores differ by less than a tenth (or half a millisecond) are a tie. A tie goes to the one with fewer calls of this node
// under way, of two drawn by chance if there are more: who always took the first would send all POPs' calls to one (herding).
// For a function with no history anywhere the draw is by the function's hash, the same at every POP: so ties meet at one region.
//
// Refused. Nearest region: six POPs make six cold starts. Consistent hashing alone: it sends a call across the world for a warmth that
// may not be there. Weighted sums of normalised inputs: seconds can be added, points cannot.
//
// Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001; L. Kleinrock, "Queueing
// Systems" I, §3.2.

public import EngineCore

/// Chooses the region for one call. Pure: equal inputs and draws give equal choices.
public struct RegionChooser: Hashable, Sendable {
    /// What a region is chosen by.
    public enum Rule: String, Hashable, Sendable, Codable, CaseIterable {
        /// Round trip, queueing and the start to be expected.
        case expected
        /// The round trip alone, to compare with.
        case nearest
    }

    public var rule: Rule
    /// How old a region's report may be to count, in seconds.
    public var stalenessMax: Double
    /// How long regions are taken to keep an idle container, in seconds.
    public var keepAlive: Double
    /// What a round trip is taken for before the first sample, in seconds.
    public var roundTripPrior: Double
    /// The load that is taken for full: beyond it the queueing term would divide by nothing.
    static let loadMax = 0.95
    /// Scores that differ by less are equal: a share, or seconds, whichever is more.
    static let tieShare = 0.1
    static let tieSeconds = 0.0005

    public init(rule: Rule = .expected, stalenessMax: Double = 5, keepAlive: Double = 600, roundTripPrior: Double = 0.1) {
        self.rule = rule
        self.stalenessMax = stalenessMax
        self.keepAlive = keepAlive
        self.roundTripPrior = roundTripPrior
    }

    /// What is known of the function, in seconds.
    public struct Call: Hashable, Sendable {
        /// From nothing to the function's first answer.
        public var coldStart: Double
        public var duration: Double
        /// Of the function's identity; equal at all nodes.
        public var hash: UInt64

        public init(coldStart: Double, duration: Double, hash: UInt64) {
            self.coldStart = coldStart
            self.duration = duration
            self.hash = hash
        }
    }

    /// One candidate's score and its parts, in seconds; what `explain` shows.
    public struct Score: Hashable, Sendable, Codable {
        public var region: String
        public var roundTrip: Double
        public var queueing: Double
        public var start: Double
        public var total: Double { roundTrip + queueing + start }
        /// Why it was not eligible; `nil` if it was.
        public var exclusion: Exclusion?
    }

    public typealias Exclusion = RegionExclusion
    public typealias Basis = RegionBasis

    public struct Choice: Hashable, Sendable {
        /// `nil`: none is eligible.
        public var region: String?
        public var basis: Basis
        /// All candidates, in the order given.
        public var scores: [Score]
    }

    /// - Parameters:
    ///   - tried: regions that have refused or failed this call.
    ///   - random: breaks ties.
    /// - Complexity: O(candidates).
    public func choose(
        _ call: Call, among candidates: [RegionCandidate], tried: Set<String> = [], using random: inout some RandomNumberGenerator
    ) -> Choice {
        var scores = candidates.map { score($0, call, tried: tried) }
        let eligible = scores.indices.filter { scores[$0].exclusion == nil }
        let hasReports = eligible.contains { isFresh(candidates[$0]) }
        let isSeen = rule == .expected && hasReports && eligible.contains { isFreshlySeen(candidates[$0]) }
        if !isSeen { for index in eligible { scores[index].start = 0 } }
        guard let best = eligible.min(by: { scores[$0].total < scores[$1].total }) else {
            return Choice(region: nil, basis: .onlyOne, scores: scores)
        }
        let margin = rule == .nearest ? 0 : max(scores[best].total * Self.tieShare, Self.tieSeconds)
        let tied = eligible.filter { scores[$0].total <= scores[best].total + margin }
        let chosen = isSeen ? draw(tied, candidates, &random) : meet(tied, candidates, call)
        let basis: Basis = eligible.count == 1 ? .onlyOne : isSeen ? .warmth : hasReports ? .distance : .stale
        return Choice(region: candidates[chosen].name, basis: basis, scores: scores)
    }

    // MARK: -

    private func score(_ candidate: RegionCandidate, _ call: Call, tried: Set<String>) -> Score {
        let load = rule == .nearest ? 0 : min(max(candidate.load, 0), Self.loadMax)
        var score = Score(
            region: candidate.name, roundTrip: candidate.roundTrip ?? roundTripPrior, queueing: call.duration * load / (1 - load),
            start: chanceOfCold(candidate) * call.coldStart)
        score.exclusion = exclusion(candidate, tried)
        return score
    }

    private func exclusion(_ candidate: RegionCandidate, _ tried: Set<String>) -> Exclusion? {
        if tried.contains(candidate.name) { return .tried }
        if !candidate.isHealthy { return .unreachable }
        if !candidate.holdsVersion { return .versionNotHeld }
        return candidate.isSaturated ? .saturated : nil
    }

    private func isFresh(_ candidate: RegionCandidate) -> Bool { candidate.reportAge.map { $0 <= stalenessMax } ?? false }

    private func isFreshlySeen(_ candidate: RegionCandidate) -> Bool { isFresh(candidate) && candidate.history != nil }

    private func chanceOfCold(_ candidate: RegionCandidate) -> Double {
        guard isFresh(candidate), let history = candidate.history else { return 1 }
        if history.idleContainers > 0 { return 0 }
        guard history.lastReceived < keepAlive else { return 1 }
        return max(0, history.lastReceived / keepAlive)
    }

    /// Of two drawn by chance, the one with fewer calls of this node.
    private func draw(_ tied: [Int], _ candidates: [RegionCandidate], _ random: inout some RandomNumberGenerator) -> Int {
        guard tied.count > 1 else { return tied[0] }
        let first = Int.random(in: 0..<tied.count, using: &random)
        var second = Int.random(in: 0..<tied.count - 1, using: &random)
        if second >= first { second += 1 }
        return candidates[tied[first]].underWay <= candidates[tied[second]].underWay ? tied[first] : tied[second]
    }

    /// Where all nodes that see the same ties go: the highest of the hashes of function and region (rendezvous).
    private func meet(_ tied: [Int], _ candidates: [RegionCandidate], _ call: Call) -> Int {
        func weight(_ index: Int) -> UInt64 {
            var hash = call.hash
            for byte in candidates[index].name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
            hash ^= hash >> 33
            return hash &* 0xff51_afd7_ed55_8ccd
        }
        return tied.max { weight($0) < weight($1) } ?? tied[0]
    }
}
