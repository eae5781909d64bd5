/// What the operator API says of the node as a whole.
struct NodeStatus: Encodable, Sendable {
    let node: String
    let role: String
    let draining: Bool
    /// Invocations that are not answered yet.
    let underWay: Int
    /// What the bodies of their requests hold.
    let bodyBytesHeld: Int
    /// What is wrong with the pool's books; absent when nothing is.
    let brokenInvariant: String?
    /// How often the sampled checks of the books have found something since the node began.
    let brokenInvariants: Int
}
