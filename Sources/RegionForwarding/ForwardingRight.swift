public import EngineCore

/// For which accounts a node may forward calls and send their code. Its certificate says so (``NodeCertificate``), each right as one
/// URI among the alternative names:
///
/// ```
/// wayside://forward/all              for every account
/// wayside://forward/123456789012     for this account; repeated for several
/// ```
///
/// Without either a node may forward nothing. Only the authority gives rights, and the node that receives a call checks them.
public enum ForwardingRight: Hashable, Sendable {
    case none
    case accounts(Set<AccountID>)
    case all

    static let uriPrefix = "wayside://forward/"
    private static let everything = "all"
    /// Each is a name in the certificate, which is sent in every handshake.
    public static let accountsMax = 256

    /// O(1).
    public func permits(_ account: AccountID) -> Bool {
        switch self {
        case .none: false
        case .accounts(let accounts): accounts.contains(account)
        case .all: true
        }
    }

    /// `all`, `none`, or accounts with commas between.
    /// - Throws: `invalidName`.
    public init(text: String) throws(ForwardingError) {
        switch text {
        case "all": self = .all
        case "none": self = .none
        default:
            var accounts: Set<AccountID> = []
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                guard let account = AccountID(String(part)) else {
                    throw ForwardingError(
                        .invalidName, "\(part) is no account: give 'all', 'none' or numbers of 12 digits with commas between.")
                }
                accounts.insert(account)
            }
            guard accounts.count <= Self.accountsMax else {
                throw ForwardingError(
                    .invalidName, "A certificate names \(Self.accountsMax) accounts at most. Give 'all', or make several nodes.")
            }
            self = .accounts(accounts)
        }
    }

    /// What the names of a certificate say.
    /// - Throws: `invalidCertificate` for a right that is none: a node must not believe half of a certificate.
    init(uris: some Sequence<String>) throws(ForwardingError) {
        var accounts: Set<AccountID> = []
        var isAll = false
        for uri in uris where uri.hasPrefix(Self.uriPrefix) {
            let right = uri.dropFirst(Self.uriPrefix.count)
            if right == Self.everything {
                isAll = true
            } else if let account = AccountID(String(right)) {
                accounts.insert(account)
            } else {
                throw ForwardingError(.invalidCertificate, "\(uri) is no right. Make the certificate with `wayside cert`.")
            }
        }
        self = isAll ? .all : accounts.isEmpty ? .none : .accounts(accounts)
    }

    var uris: [String] {
        switch self {
        case .none: []
        case .accounts(let accounts): accounts.map { Self.uriPrefix + $0.description }.sorted()
        case .all: [Self.uriPrefix + Self.everything]
        }
    }
}
