public import EngineCore

/// Where one invocation goes. Each case has exactly one reason, and only reasons that belong to it (PLACE-04).
///
/// There is no case for waiting: waiting for a container that is being made is a way of running, and the pool's affair.
public enum PlacementDecision: Hashable, Sendable {
    case run(RunPlan)
    case forward(ForwardPlan)
    case refuse(RefusalReason)

    /// The reason to record and to return.
    public var reason: DecisionReason {
        switch self {
        case .run(let plan): plan.reason.decisionReason
        case .forward(let plan): plan.reason.decisionReason
        case .refuse(let reason): reason.decisionReason
        }
    }

    /// The decision as the record of the invocation names it.
    public var kind: InvocationRecord.Decision {
        switch self {
        case .run: .run
        case .forward: .forward
        case .refuse: .refuse
        }
    }
}

/// Run here.
public struct RunPlan: Hashable, Sendable {
    public enum Reason: Hashable, Sendable, CaseIterable {
        case affinity, warm, frequent, region, noRegionConfigured, regionOutage, regionsDeclined

        public var decisionReason: DecisionReason {
            switch self {
            case .affinity: .affinity
            case .warm: .warm
            case .frequent: .frequent
            case .region: .region
            case .noRegionConfigured: .noRegionConfigured
            case .regionOutage: .regionOutage
            case .regionsDeclined: .regionsDeclined
            }
        }
    }

    public let reason: Reason
}

/// Run in a region.
public struct ForwardPlan: Hashable, Sendable {
    public enum Reason: Hashable, Sendable, CaseIterable {
        case uncommon, startedBehind, noCapacity, noPermission, profile, codeNotCurrent

        public var decisionReason: DecisionReason {
            switch self {
            case .uncommon: .uncommon
            case .noCapacity: .noCapacity
            case .startedBehind: .startedBehind
            case .noPermission: .noPermission
            case .profile: .profile
            case .codeNotCurrent: .codeNotCurrent
            }
        }
    }

    public let reason: Reason
    /// The node name of the region: the best that is reachable and has not yet refused or failed this call.
    public let region: String
}

/// Run nowhere.
public enum RefusalReason: Hashable, Sendable, CaseIterable {
    case overloaded, hopLimit
    /// It could run here, were its code here.
    case codeNotCurrent

    public var decisionReason: DecisionReason {
        switch self {
        case .overloaded: .overloaded
        case .hopLimit: .hopLimit
        case .codeNotCurrent: .codeNotCurrent
        }
    }
}
