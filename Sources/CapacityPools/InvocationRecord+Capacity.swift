internal import EngineCore

/// How a call came by its container, as the record of the call tells it.
extension InvocationRecord.Capacity {
    init(_ grant: ContainerGrant) {
        self.init()
        subPool = grant.subPool
        instance = grant.instance.number
        container = grant.container.number
        branch = .loaded
        affinity = grant.affinity
    }

    init(_ plan: StartPlan) {
        self.init()
        subPool = plan.subPool
        instance = plan.instance.number
        container = plan.container.number
        branch = plan.branch
        coldCause = plan.cause
        affinity = plan.affinity
    }
}
