extension CapacityMarket {
    /// Functions that one call looks at to adjust the price.
    static let priceStep = 64

    /// A round of looking at everything idle.
    struct PriceRound {
        /// Functions that are remembered as the lowest.
        static let lowestMax = 64

        /// The functions before this place have not been looked at.
        var place: Int
        /// Mebibytes that are idle and not worth the price, so far.
        var idle = 0.0
        /// The lowest so far, the least worthy last.
        private(set) var lowest: [(index: Double, entry: Entry)] = []

        mutating func add(_ entry: Entry, index: Double) {
            if lowest.count == Self.lowestMax {
                guard let first = lowest.first, index < first.index else { return }
                lowest.removeFirst()
            }
            let place = lowest.lastIndex { $0.index >= index }.map { $0 + 1 } ?? 0
            lowest.insert((index, entry), at: place)
        }
    }

    /// Reckons what is idle and not worth the price, a few functions at a time, so that no call waits for all of them; then adjusts.
    /// What is found to be worth least is remembered, for whoever needs room.
    mutating func stepPrice(free: Double, now: Double) {
        var round = priceRound ?? PriceRound(place: withIdle.count)
        var place = min(round.place, withIdle.count)
        let end = max(0, place - Self.priceStep)
        while place > end {
            place -= 1
            let entry = withIdle[place]
            let deepest = functions[entry].idle - 1
            // From the one that would go first on; the first that is worth the price ends it.
            for depth in stride(from: deepest, through: 0, by: -1) {
                let index = index(entry, functions[entry].busy + depth, now: now)
                if depth == deepest { round.add(entry, index: index) }
                if index >= price.value { break }
                round.idle += functions[entry].costs.memory
            }
        }
        round.place = place
        guard place == 0 else {
            priceRound = round
            return
        }
        priceRound = nil
        lowest = round.lowest.map(\.entry)
        price.adjust(idle: free + round.idle, capacity: configuration.capacity, meanSize: meanSize, now: now)
    }
}
