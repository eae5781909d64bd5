public import EngineCore

/// What one container's connections to the outside may take. Each limit has its answer.
public struct EgressLimits: Hashable, Sendable {
    /// Connections of one container at once. One more is answered 503; as many again may be waiting to read such an answer, and what
    /// comes beyond those is closed unanswered.
    public var connectionsMax = 64
    /// Connections of all containers that are served at once, and of one account a quarter of it. One more is answered 503; as many
    /// again may be waiting to read such an answer, and what comes beyond those is closed unanswered (``EgressShares``).
    public var nodeConnectionsMax = 4096
    /// Names of one container that are looked up at once; more wait for their turn, within ``connectTime``. A look-up blocks a thread
    /// that all containers share, and a name server of the function's choice may take its time. The containers of one account
    /// together have no more than a quarter of the threads (``EgressShares``), and wait likewise.
    public var resolutionsMax = 4
    /// Addresses of one name that are tried, in the resolver's order; the rest are not.
    public var addressesMax = 8
    /// Bytes of a request's line and headers, and of an answer's headers. A request beyond is answered 431, an answer ends in 502.
    public var headerBytesMax = ByteCount.kibibytes(16)
    /// From accepting a connection to the last byte of its request's headers; then 408.
    public var headerTime = Duration.seconds(10)
    /// For looking up the name and connecting to one of its addresses, together; then 504.
    public var connectTime = Duration.seconds(5)
    /// Without a byte in either direction; then the connection is closed, or answered 504 if it waits for an answer's headers.
    public var idleTime = Duration.seconds(60)
    /// Bytes of one connection in each direction, the headers of plain HTTP among them; then it is closed.
    public var connectionBytesMax = ByteCount.mebibytes(1 << 10)
    /// Bytes of one container in its life, in each direction; then its connections are closed as they reach for more, and new ones are
    /// answered 429.
    public var containerBytesMax = ByteCount.mebibytes(4 << 10)
    /// What the kernel may hold unread for each socket. It bounds what is held here for a peer that reads more slowly than the
    /// other sends, because a socket is read to its end when its peer has closed it.
    public var receiveBufferBytes = ByteCount.kibibytes(256)
    /// How long a connection may take to read its last answer after everything has been written.
    public var lingerTime = Duration.seconds(1)

    public init() {}
}
