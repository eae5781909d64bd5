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
    /// The node that has it; `nil`: the one that runs the call.
    public var node: String?
    /// Which launcher of that node gave the container its number; the next one gives the same numbers to others.
    public var generation: UInt64?
    /// A token came that is forged, expired or of another node: the call is placed as if without, and told so.
    public var tokenIsVoid: Bool
    public var source: Source
    public var mode: Mode
    public var busy: Busy
    /// The longest wait for a busy container.
    public var waitMax: Duration

    public static let valueBytesMax = 256

    public init(
        value: String?, container: UInt64? = nil, node: String? = nil, generation: UInt64? = nil, tokenIsVoid: Bool = false,
        source: Source, mode: Mode = .prefer, busy: Busy = .wait, waitMax: Duration = .seconds(3)
    ) {
        self.value = value
        self.container = container
        self.node = node
        self.generation = generation
        self.tokenIsVoid = tokenIsVoid
        self.source = source
        self.mode = mode
        self.busy = busy
        self.waitMax = waitMax
    }

    /// The demand as the pool of `node` is to take it: a token of another node, or of a launcher that is no more, is void there.
    ///
    /// - Parameter generation: the launcher's that runs now.
    public func settled(at node: String, generation: UInt64) -> AffinityDemand {
        guard container != nil, self.node.map({ $0 != node }) ?? false || self.generation.map({ $0 != generation }) ?? false else {
            return self
        }
        var settled = self
        settled.container = nil
        settled.tokenIsVoid = true
        return settled
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
