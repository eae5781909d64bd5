public import EngineCore

/// Where a call is to be forwarded, and what that rests on.
public struct RegionSelection: Sendable, Equatable {
    /// `nil`: no region can take the call now.
    public var region: String?
    /// Whether the version is sent there if it turns out to be missing: no other region that could take the call is known to hold it.
    public var suppliesIfMissing: Bool
    /// For the call's record.
    public var choice: RegionChoice
    /// The regions that can be reached, the chosen one first.
    public var reachable: [String]
    /// Regions that can be reached and still are not to take this call.
    public var declined: Set<String>
}
