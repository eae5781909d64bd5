/// How a function's owner says which requests belong together (STICK-02, STICK-09). Part of the function's settings.
public struct AffinityRule: Hashable, Sendable, Codable {
    /// Where in a request its routing value is. Written `header:NAME`, `query:NAME`, `body:PATH` or `account`.
    public enum Source: Hashable, Sendable, Codable {
        /// A header of the request, by its name in lower case.
        case header(String)
        /// An item of the query, by its name.
        case query(String)
        /// A member of the event: names, and numbers of elements, joined by dots (`user.id`, `items.0.kind`).
        case body(String)
        /// The caller's account.
        case account
    }

    public var source: Source
    /// Values that match one pattern are one class and share a container; `*` stands for any characters. A value that matches none is
    /// its own class. At most ``patternsMax``.
    public var patterns: [String]
    /// Into how many classes the values are spread by their hash; `nil`: each value is its own.
    public var buckets: Int?
    public var mode: AffinityDemand.Mode
    public var busy: AffinityDemand.Busy
    /// The longest wait for a busy container.
    public var waitMilliseconds: Int

    public static let patternsMax = 32
    /// Bytes of one pattern.
    public static let patternBytesMax = 128
    public static let bucketsMax = 65_536
    public static let waitMillisecondsMax = 900_000

    public init(
        source: Source, patterns: [String] = [], buckets: Int? = nil, mode: AffinityDemand.Mode = .prefer,
        busy: AffinityDemand.Busy = .wait, waitMilliseconds: Int = 3000
    ) {
        self.source = source
        self.patterns = patterns
        self.buckets = buckets
        self.mode = mode
        self.busy = busy
        self.waitMilliseconds = waitMilliseconds
    }
}
