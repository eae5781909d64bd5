extension CapacityMarket {
    /// Functions that one call looks at to adjust the price.
    static let priceStep = 64

    /// Reckons what is idle and not worth the price, a few functions at a time, so that no call waits for all of them; then adjusts.
    mutating func stepPrice(free: Double, now: Double) {
        var place = min(priceRound?.place ?? withIdle.count, withIdle.count)
        var idle = priceRound?.idle ?? 0
        let end = max(0, place - Self.priceStep)
        while place > end {
            place -= 1
            let entry = withIdle[place]
            // From the one that would go first on; the first that is worth the price ends it.
            for depth in stride(from: functions[entry].idle - 1, through: 0, by: -1) {
                if index(entry, functions[entry].busy + depth, now: now) >= price.value { break }
                idle += functions[entry].costs.memory
            }
        }
        guard place == 0 else {
            priceRound = (place, idle)
            return
        }
        priceRound = nil
        price.adjust(idle: free + idle, capacity: configuration.capacity, meanSize: meanSize, now: now)
    }
}
