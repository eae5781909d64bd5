internal import EngineCore

/// The words for why a call went where it went.
enum DecisionWords {
    /// After `because WORD:`.
    static func reason(_ reason: DecisionReason) -> String {
        switch reason {
        case .warm: "a container of it was idle"
        case .frequent: "it is called often enough to be worth a container here, or keeps to its own"
        case .region: "what is sent to a region is run there"
        case .noRegionConfigured: "this node has no region to forward to"
        case .regionOutage: "every region was out of reach, and it fitted here"
        case .regionsDeclined: "every region that could be reached refused it, and it fitted here"
        case .affinity: "the container that it wants is here"
        case .noPermission: "its account may be given no more here"
        case .affinityElsewhere: "the container that it wants is there"
        case .uncommon: "it is called too rarely to be worth a container here"
        case .startedBehind: "a start takes longer than the way; a container was started behind it for the next"
        case .noCapacity: "no memory or slot was free here, or what would have had to go is worth more"
        case .profile: "its run here would take memory that is worth more than the way"
        case .codeNotCurrent: "the code of its version was not unpacked here"
        case .overloaded: "nothing here or elsewhere could take it"
        case .hopLimit: "it had been forwarded as often as permitted"
        case .draining: "the node was shutting down"
        }
    }

    /// What came of an attempt at a node.
    static func stage(_ stage: ForwardStage) -> String {
        switch stage {
        case .beforeSend: "not sent"
        case .beforeStart: "not begun"
        case .afterSend: "may have run"
        case .midResult: "has run, its result was cut off"
        case .overtaken: "may have run, another answered first"
        }
    }

    /// How a region was chosen.
    static func basis(_ basis: RegionBasis) -> String {
        switch basis {
        case .warmth: "by way, queue and warmth"
        case .distance: "by way and queue, for none has seen the function"
        case .stale: "by way and queue, for reports are stale or missing"
        case .onlyOne: "for no other could take the call"
        }
    }

    /// Why a region could not be chosen.
    static func exclusion(_ exclusion: RegionExclusion) -> String {
        switch exclusion {
        case .unreachable: "out of reach"
        case .saturated: "full"
        case .versionNotHeld: "lacks the version"
        case .tried: "tried"
        }
    }
}
