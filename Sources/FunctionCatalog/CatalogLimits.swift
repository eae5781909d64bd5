public import EngineCore

/// How much a catalog takes. Passing one answers ``CatalogError/Code/limitReached`` unless it says otherwise.
public struct CatalogLimits: Hashable, Sendable {
    /// Accounts on this node.
    public var accounts = 10_000
    /// Access keys of one account: two for rotation, and some for several machines.
    public var accessKeysPerAccount = 10
    /// Functions of one account, over all regions.
    public var functionsPerAccount = 10_000
    /// Versions of one function, `$LATEST` included.
    public var versionsPerFunction = 1_000
    /// Versions of all functions together, each of which is kept in memory for the warm path (about 1 KiB and its environment).
    public var versions = 200_000
    /// Names of deleted functions per account whose next version number is remembered. The longest deleted are forgotten first.
    public var retiredNamesPerAccount = 1_000
    /// Versions held for other nodes; the least recently used are dropped first.
    public var heldVersions = 20_000
    /// Calls of one account that may run at one time in a region, as far as reserving and provisioning go (AWS's default). What would
    /// pass it answers ``CatalogError/Code/concurrencyRefused``.
    public var concurrency = 1_000
    /// How many of ``concurrency`` stay for the functions that reserve none. What would leave fewer answers
    /// ``CatalogError/Code/concurrencyRefused``.
    public var unreservedConcurrencyMin = 100
    /// Versions of all accounts with provisioned concurrency, each of which is kept in memory.
    public var provisionedVersions = 10_000
    /// Unknown access keys remembered, so that a caller with a wrong key does not reach the database each time. When they are this
    /// many all are forgotten.
    public var unknownAccessKeys = 10_000
    /// Size of the database file. Passing it answers ``CatalogError/Code/storeFull``.
    public var databaseSize: ByteCount = .mebibytes(4096)

    public init() {}
}
