/// Which container a call wants: the one that served the same routing value before, or one that a token names.
///
/// Made where the request is understood, from what the caller says and the owner's rule; obeyed by the pool.
public struct AffinityDemand: Hashable, Sendable, Codable {
    /// Where the value was found, in the order in which they are looked at: the first that is there counts.
    public enum Source: String, Hashable, Sendable, Codable, CaseIterable {
        case token, literal, header, query, body, account
    }

    /// What a call that cannot have the container gets.
    public enum Mode: String, Hashable, Sendable, Codable, CaseIterable {
        /// Another container, and word of it.
        case prefer
        /// An error.
        case require
    }

    /// What a call does while the container serves another (STICK-13).
    public enum Busy: String, Hashable, Sendable, Codable, CaseIterable {
        /// It waits, at most ``AffinityDemand/waitMax``.
        case wait
        /// It takes another container; the mapping stays.
        case overflow
        case reject
    }

    /// The routing value, at most ``valueBytesMax`` bytes of UTF-8; `nil` where only a token was given.
    public var value: String?
    /// The container that the caller's token names, its signature and time having been checked.
    public var container: UInt64?
    /// A token came that is forged, expired or of another node: the call is placed as if without, and told so.
    public var tokenIsVoid: Bool
    public var source: Source
    public var mode: Mode
    public var busy: Busy
    /// The longest wait for a busy container.
    public var waitMax: Duration

    public static let valueBytesMax = 256

    public init(
        value: String?, container: UInt64? = nil, tokenIsVoid: Bool = false, source: Source, mode: Mode = .prefer, busy: Busy = .wait,
        waitMax: Duration = .seconds(3)
    ) {
        self.value = value
        self.container = container
        self.tokenIsVoid = tokenIsVoid
        self.source = source
        self.mode = mode
        self.busy = busy
        self.waitMax = waitMax
    }

    /// The caller is told this of every call that wanted a particular container (`Wayside-Affinity-Result`).
    public enum Result: String, Hashable, Sendable, Codable, CaseIterable {
        /// The container that served the value before serves it again.
        case hit
        /// That container is there, but another serves this call: it was busy, or is too small.
        case moved
        /// That container is no more; the value has a new one.
        case gone
        /// The value was not known; it has a container now.
        case new
    }
}
