public import EngineCore

// How many instances each general sub-pool keeps ready.
//
// WHAT. A spare that is taken is replaced by booting one: one for one, after a lead (waiting for a quiet moment, then the boot). A call
// that finds none ready does not wait in line, it makes an instance of its own. In the words of inventories that is a base-stock
// policy with lost sales, and the question "how many" has an exact answer: with demand at random the share of calls that find nothing
// is Erlang's loss formula B(n, rate × lead), whatever the distribution of the lead (Karush 1957; Feeney and Sherbrooke 1966). The
// target is the smallest n for which it is at most 1 − `serviceLevel`.
//
//     takes ──► DemandMeter ──rate ahead, peakedness──► BaseStock ──► HoldWindow ─┐
//                    └─ need within a lead ──► SurgeHistory (seven days) ─────────┴─► floor … ceiling ──► DemandShares ──► targets
//
//  1. Rate. Two exponential means, of 5 and of 30 seconds. Where the fast one is above the slow one by more than chance does it, the
//     difference is a trend (Brown's double smoothing), which is continued to the end of the lead. Downward trends are not continued.
//  2. Calls in batches. The same mean in batches of ten needs ten times the stock. The ratio of variance to mean of the takes per
//     second, z, measures that; Hayward's approximation, z · B⁻¹(rate × lead ÷ z), puts it into the formula (Fredericks 1980).
//  3. Surges that come at a time of day. No rate sees them coming. For each five minutes of the day the history keeps the most spares
//     that calls wanted within one lead, which is just the stock that would have served them all. A surge counts when it came on two
//     of the last seven days: once is an accident, and week-ends do not make Mondays cold.
//  4. Calm. What was needed in the last three minutes is kept, so that the pool does not follow noise; one spare is kept for ten
//     minutes after the last take; then the floor.
//  5. A total. Where the sub-pools want more than `totalMax`, it is shared in the ratio of their calls, none in demand without one.
//
// REFUSED. Replacing only what was taken (a fixed size): loses every ramp and holds the peak all night. Reacting to misses: the first
// calls of every surge pay. Poisson's tail instead of Erlang's formula: the answer for callers who wait in line, one or two spares too
// many each. ARIMA and its kin: need regular samples of days to fit, cannot be reckoned by hand by who asks why, and after all see a
// daily surge only as well as the table does. Keeping the mean rate by time of day: fifty calls in one second at nine are a mean of
// 0.2 a second, for which one spare would do. Learning (Q-tables): nobody can say what it does on a day it has not seen.
//
// COST. O(1) to a take. O(sub-pools × ceiling) to a tick of a second. 5 KiB to a sub-pool.
//
// SOURCE. W. Karush, "A queuing model for an inventory problem", Operations Research 5, 1957. G. Feeney and C. Sherbrooke, "The (s−1, s)
// inventory policy under compound Poisson demand", Management Science 12, 1966. A. Fredericks, "Congestion in blocking systems — a simple
// approximation technique", Bell System Technical Journal 59, 1980. R. Brown, "Smoothing, forecasting and prediction", 1963.

/// Wishes of how many instances to keep ready, from what was taken. A value in virtual time; it owns and boots nothing.
public struct WarmingSizer: Sendable {
    private struct SubPool {
        var floor: Int
        var ceiling: Int
        var lead = BootLead()
        var meter: DemandMeter
        var hold: HoldWindow
        var history = SurgeHistory()
        var lastTake: EngineInstant?
        /// What was answered last; `nil` before the first answer.
        var target: Int?
    }

    public let configuration: WarmingSizerConfiguration
    private var subPools: [SubPoolID: SubPool] = [:]
    /// The same in a stable order, so that equal claims are always served alike.
    private var order: [SubPoolID] = []
    /// What was saved of sub-pools that are not configured (yet).
    private var saved: SizingHistory
    /// Milliseconds since 1970 at the origin of ``EngineInstant``; unknown before the first tick.
    private var epochOffset: Int64?
    private var due = EngineInstant(nanoseconds: .min)

    public init(configuration: WarmingSizerConfiguration = WarmingSizerConfiguration(), history: SizingHistory = SizingHistory()) {
        self.configuration = configuration
        saved = history
    }

    /// Adds a sub-pool or changes its limits. Beyond ``WarmingSizerConfiguration/subPoolsMax`` it is not sized: it keeps its floor.
    ///
    /// - Parameters:
    ///   - floor: instances, at least 0.
    ///   - ceiling: instances; less than `floor` counts as `floor`.
    public mutating func configure(_ id: SubPoolID, floor: Int, ceiling: Int) {
        let floor = max(0, floor)
        let ceiling = max(floor, ceiling)
        if subPools[id] != nil {
            subPools[id]?.floor = floor
            subPools[id]?.ceiling = ceiling
        } else if order.count < configuration.subPoolsMax {
            var subPool = SubPool(
                floor: floor, ceiling: ceiling, meter: DemandMeter(period: configuration.period),
                hold: HoldWindow(length: configuration.hold))
            subPool.history = saved.subPools.removeValue(forKey: id) ?? SurgeHistory()
            subPools[id] = subPool
            order.append(id)
            order.sort { $0.description < $1.description }
        }
        due = EngineInstant(nanoseconds: .min)
    }

    /// Forgets a sub-pool and its history.
    public mutating func remove(_ id: SubPoolID) {
        guard subPools.removeValue(forKey: id) != nil else { return }
        order.removeAll { $0 == id }
    }

    /// A call wanted a ready instance of this sub-pool, whether it found one or not: who counts only those that did will never see
    /// that there are too few. O(1).
    public mutating func took(_ id: SubPoolID, now: EngineInstant) {
        guard subPools[id] != nil else { return }
        subPools[id]?.lastTake = now
        let need = subPools[id]?.meter.take(at: now) ?? 0
        guard let epochOffset else { return }
        subPools[id]?.history.note(need, at: (epochOffset + now.nanoseconds / 1_000_000) / 1000)
    }

    /// An instance of this sub-pool is ready.
    /// - Parameter duration: from the beginning of its boot, without the time it waited for its turn: that would grow with the
    ///   target, and the target with it.
    public mutating func booted(_ id: SubPoolID, in duration: Duration) {
        subPools[id]?.lead.measured(min(duration, configuration.leadMax).inSeconds)
    }

    /// The targets that have changed, or are the first. Does nothing until a period is over, except after ``configure(_:floor:ceiling:)``.
    public mutating func targets(at moment: WallMoment) -> [(subPool: SubPoolID, target: Int)] {
        epochOffset = moment.epochMilliseconds - moment.instant.nanoseconds / 1_000_000
        guard moment.instant >= due else { return [] }
        due = moment.instant + configuration.period
        let claims = order.compactMap { claim(of: $0, at: moment) }
        let previous = order.map { subPools[$0]?.target }
        let shares = DemandShares.split(claims, total: configuration.totalMax, previous: previous.compactMap { $0 })
        var changed: [(subPool: SubPoolID, target: Int)] = []
        for (index, id) in order.enumerated() where shares[index] != previous[index] {
            subPools[id]?.target = shares[index]
            changed.append((id, shares[index]))
        }
        return changed
    }

    /// The last answer for a sub-pool.
    public func target(of id: SubPoolID) -> Int? { subPools[id]?.target }

    /// What is to be kept over a restart. O(sub-pools × days).
    public var history: SizingHistory {
        var history = SizingHistory()
        for (id, subPool) in subPools { history.subPools[id] = subPool.history }
        // What belongs to no sub-pool of now is kept for one that comes back, as far as there is room.
        for (id, past) in saved.subPools where history.subPools.count < SizingHistory.subPoolsMax && history.subPools[id] == nil {
            history.subPools[id] = past
        }
        return history
    }

    private mutating func claim(of id: SubPoolID, at moment: WallMoment) -> DemandShares.Claim? {
        guard var subPool = subPools[id] else { return nil }
        let now = moment.instant
        subPool.meter.roll(to: now)
        let boot = subPool.lead.estimate ?? configuration.leadDefault.inSeconds
        let lead = min(boot + configuration.pacing.inSeconds, configuration.leadMax.inSeconds)
        subPool.meter.setLead(lead)
        var needed = 0
        if let lastTake = subPool.lastTake, now - lastTake < configuration.quietMax {
            needed = BaseStock.level(
                load: subPool.meter.rate(after: lead) * lead, peakedness: subPool.meter.peakedness,
                loss: 1 - configuration.serviceLevel,
                limit: subPool.ceiling)
        }
        let held = subPool.hold.add(needed, at: now)
        let awaited = awaited(subPool.history, boot: boot, epochSeconds: moment.epochMilliseconds / 1000)
        subPools[id] = subPool
        // A surge that is awaited counts as the calls that made it; otherwise those of the last minutes count.
        let weight = awaited > 2 * held ? max(subPool.meter.longRate, Double(awaited) / lead) : subPool.meter.longRate
        let want = min(max(held, awaited, subPool.floor), subPool.ceiling)
        return DemandShares.Claim(floor: subPool.floor, want: want, weight: weight)
    }

    /// The most that history says will be needed until spares that are asked for now have booted, a few at a time.
    private func awaited(_ history: SurgeHistory, boot: Double, epochSeconds: Int64) -> Int {
        let horizonMax: Int64 = 300
        let most = history.need(from: epochSeconds, to: epochSeconds + horizonMax)
        guard most > 0 else { return 0 }
        let rounds = Double(most) / Double(max(1, configuration.parallelBoots)) + 1
        let ahead = boot * rounds + configuration.pacing.inSeconds + 2 * configuration.period.inSeconds
        return history.need(from: epochSeconds, to: epochSeconds + min(horizonMax, Int64(ahead.rounded(.up))))
    }
}
