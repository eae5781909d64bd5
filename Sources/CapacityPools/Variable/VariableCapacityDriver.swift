/// A source of memory beyond the node's own, whose amount and price another party changes: a spot market, a neighbour's spare
/// machines, a batch cluster that lends its nights.
///
/// The engine knows such a party only by its offers; what stands behind them is the driver's. It ships with two that need no market:
/// ``ScheduledCapacity`` and ``CommandCapacity``.
public protocol VariableCapacityDriver: Sendable {
    /// One sentence for operators: what its offers stand for.
    var summary: String { get }

    /// Delivers what is offered now, and again whenever that changes, until the task is cancelled. An offer may be repeated.
    ///
    /// A failure of the driver's own never ends it: it says so in the log, keeps its last offers for a bounded time, and then
    /// withdraws them.
    func run(_ deliver: @Sendable (VariableOffer) -> Void) async
}
