/// What a call that finds no container here is worth to this node, by the policy that weighs it.
public enum Worth: Hashable, Sendable, CaseIterable {
    /// A start in the call's way.
    case start
    /// A container for the next call, started behind this one, which is quicker in a region.
    case startBehind
    /// A container, but those who would have to make room are worth more.
    case noRoom
    /// Too little: it is called too rarely.
    case uncommon
    /// A run here takes memory that is worth more than the way to a region.
    case tooLong
}
