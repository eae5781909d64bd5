import CapacityPools
import EngineCore
import Foundation
import Placement
import Testing

/// A POP of twenty places before a region 30 ms away, in virtual time; what it decides is done at once.
private struct Pop {
    static let places = 20
    static let functions = 200

    var model: PoolModel
    var requests: [CapacityRequest] = []
    var generator: SplitMix
    /// The sums of the functions' shares, by rank.
    private var shares: [Double] = []
    private var time = 0.0

    init(seed: UInt64) throws {
        var configuration = PoolConfiguration(
            memory: .mebibytes(100 * Self.places), containersMax: Self.places, startsMax: 64, keepAlive: .seconds(36_000))
        configuration.rareCalls = 3
        configuration.functionsCounted = 1024
        let market = CapacityMarket.Configuration(capacity: Double(100 * Self.places))
        model = PoolModel(
            configuration, retention: MarketRetention(configuration: market, rule: KeepAliveRule(base: 36_000), seed: seed))
        generator = SplitMix(state: seed)
        for function in 0..<Self.functions {
            let kind = try PoolModel.kind(function % 10, function, mebibytes: 100, usesSpares: false)
            requests.append(CapacityRequest(kind, coldStart: .milliseconds(200), roundTrip: .milliseconds(30)))
        }
        var sum = 0.0
        for rank in 1...Self.functions {
            sum += 1 / Double(rank)
            shares.append(sum)
        }
    }

    /// Poisson calls, of Zipf's ranks.
    /// - Returns: the part of them that found a warm container.
    mutating func call(seconds: Double, perSecond: Double, order: [Int]) -> Double {
        var (calls, warm) = (0, 0)
        let end = time + seconds
        while true {
            time += -log(Double.random(in: .ulpOfOne..<1, using: &generator)) / perSecond
            guard time < end else { break }
            model.now = EngineInstant(nanoseconds: Int64(time * 1e9))
            model.take(model.pool.tick(now: model.now))
            model.performAll()
            let drawn = Double.random(in: 0..<(shares.last ?? 1), using: &generator)
            calls += 1
            if serve(requests[order[shares.firstIndex { $0 > drawn } ?? 0]]) { warm += 1 }
        }
        return Double(warm) / Double(calls)
    }

    /// - Returns: whether it found a warm container.
    private mutating func serve(_ request: CapacityRequest) -> Bool {
        let decision = model.pool.decide(request, now: model.now)
        model.take(decision.actions)
        model.performAll()
        switch decision.choice {
        case nil, .startHere?:
            var announced = request
            announced.isAnnounced = true
            model.lease(announced)
            for id in model.leased { model.take(model.pool.release(id, keep: true, ran: .milliseconds(20), now: model.now)) }
            model.leased = []
        case .forward?, .forwardAndStart?, .refuse?:
            if let function = model.pool.forwardedBegan(request.kind, now: model.now) {
                model.pool.forwardedEnded(function, ran: .milliseconds(20), now: model.now)
            }
            if decision.choice == .forwardAndStart {
                let (plan, actions) = model.pool.startAhead(request.kind, now: model.now)
                model.take(actions)
                if let plan { model.take(model.pool.preloaded(plan.container, now: model.now)) }
            }
        }
        model.performAll()
        return decision.choice == nil
    }

    var resident: Set<Int> { Set(requests.indices.filter { model.pool.hasWarm(requests[$0].kind) }) }
}

@Suite struct ResidentSetTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `PLACE-20 of 200 functions the resident ones are about the 20 called most, also after what is popular has changed`(
        _ seed: UInt64
    ) throws {
        var pop = try Pop(seed: seed)
        let first = Array(0..<Pop.functions)
        _ = pop.call(seconds: 900, perSecond: 20, order: first)
        let hits = pop.call(seconds: 300, perSecond: 20, order: first)
        // The twenty called most have 61 % of all calls.
        #expect(hits > 0.9 * 0.61, "seed \(seed)")
        // Ranks about the twentieth are called about equally often, so at one moment some of those behind it are resident in their place.
        #expect(pop.resident.intersection(first.prefix(20)).count >= 13, "seed \(seed): \(pop.resident.sorted())")
        #expect(pop.resident.subtracting(first.prefix(40)).count <= 2, "seed \(seed): \(pop.resident.sorted())")
        // What was called least is called most, and the other way round.
        let second = Array(first.reversed())
        _ = pop.call(seconds: 300, perSecond: 20, order: second)
        #expect(pop.resident.intersection(second.prefix(20)).count >= 13, "seed \(seed): \(pop.resident.sorted())")
        #expect(pop.call(seconds: 300, perSecond: 20, order: second) > 0.9 * 0.61, "seed \(seed)")
        pop.model.expectRightBooks()
    }
}
