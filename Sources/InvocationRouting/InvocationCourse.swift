internal import CapacityPools
internal import EngineCore
internal import RegionForwarding

/// How far one call has come: what was found out about it, tried and ruled out.
///
/// A value that its call carries along, in a task or from one event to the next; the router's `next` and `settle` advance it.
struct InvocationCourse: Sendable {
    var request: InvocationRequest
    var record: InvocationRecord
    /// Regions that have refused or failed this very call.
    var excluded: Set<String> = []
    var selection: RegionSelection?
    /// What the call is worth here, once that has been found out.
    var weighed: InvocationRouter.Weighed?
    /// Nothing is free here for it.
    var isFull = false
    /// What this node said of the call's capacity: no region's refusal says it better.
    var refusal: InvocationError?
    /// How often it was begun again here.
    var restarts = 0
    /// It found its idle container taken, and has gone to look for a region.
    var hasLeft = false
    /// One call to those who count forwarded calls, however many regions it is sent to.
    var forwarded: FunctionIndex?
    /// When the present step began.
    var began = EngineInstant.now()

    init(_ request: InvocationRequest, node: String) {
        self.request = request
        record = InvocationRecord(request, node: node)
    }

    /// What is to be done next with it.
    enum Step: Sendable, Equatable {
        /// - isWarmOnly: if its idle container has been taken meanwhile, it is decided anew instead of waiting.
        case run(isAnnounced: Bool, isWarmOnly: Bool)
        case forward(region: String)
    }
}
