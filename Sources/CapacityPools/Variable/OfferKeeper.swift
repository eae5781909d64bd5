internal import EngineCore

/// What holds while the source of offers fails: the last ones, for a bounded time.
struct OfferKeeper: Sendable {
    /// How long the last offers outlive their source.
    let staleAfter: Duration
    private var names: [String] = []
    private var answeredAt: EngineInstant?

    init(staleAfter: Duration) { self.staleAfter = staleAfter }

    /// - Returns: what is to be delivered: the offers, and nothing of what is not offered any more.
    mutating func answered(_ offers: [VariableOffer], now: EngineInstant) -> [VariableOffer] {
        let gone = names.filter { name in !offers.contains { $0.name == name } }
        names = offers.map(\.name)
        answeredAt = now
        return offers + gone.map { VariableOffer(name: $0, price: 0, memory: .zero) }
    }

    /// - Returns: what is to be delivered: nothing while the last offers hold; then, once, that all are withdrawn.
    mutating func failed(now: EngineInstant) -> [VariableOffer] {
        guard let answeredAt, now - answeredAt >= staleAfter else { return [] }
        let gone = names
        names = []
        self.answeredAt = nil
        return gone.map { VariableOffer(name: $0, price: 0, memory: .zero) }
    }
}
