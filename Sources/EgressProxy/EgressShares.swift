internal import Synchronization

/// What the containers of all accounts share on their way out, and how much of it one account may take: a quarter.
///
/// Two things are shared: threads that look names up, and connections. An account with a name server that never answers holds its own
/// look-ups only, and one with many containers its own connections.
///
/// It holds something for an account only while the account has something open. Safe from any thread; every method is O(1) but
/// ``withdraw(_:of:)``.
public final class EgressShares: Sendable {
    /// The process's own.
    public static let shared = EgressShares()

    /// One account may take this part of what there is, and at least one.
    static let accountDivisor = 4
    /// Names of one account that are looked up at once.
    static let lookupsPerAccount = SystemEgressResolver.threads / accountDivisor

    /// What becomes of a new connection.
    enum Admission: Hashable {
        case served
        /// There are as many as there may be; it is answered.
        case refused(Scope)
        /// As many again are being answered; it is closed.
        case unanswered
    }

    /// Whose connections are too many.
    enum Scope: Hashable {
        case account
        case node
    }

    /// What a connection counts as until it ends.
    enum Place: Hashable {
        case served
        case answered
    }

    private struct Connections {
        var served = 0
        var answered = 0
    }

    private struct Waiter {
        let id: ObjectIdentifier
        let wake: @Sendable () -> Void
    }

    private struct Account {
        var connections = Connections()
        var lookups = 0
        /// Containers with names to look up, each at most once, the longest waiting first. Never while a look-up is free.
        var waiters: [Waiter] = []

        var isIdle: Bool { connections.served == 0 && connections.answered == 0 && lookups == 0 && waiters.isEmpty }
    }

    private struct State {
        var connections = Connections()
        var accounts: [String: Account] = [:]

        mutating func update<Result>(_ id: String, _ change: (inout Account) -> Result) -> Result {
            var account = accounts[id] ?? Account()
            let result = change(&account)
            accounts[id] = account.isIdle ? nil : account
            return result
        }
    }

    private let state = Mutex(State())

    public init() {}

    /// Accounts with something open.
    var accountsOpen: Int { state.withLock { $0.accounts.count } }

    /// The account in a function's ARN, `arn:aws:lambda:REGION:ACCOUNT:function:NAME`; all that have none are one account.
    static func account(of arn: String) -> String {
        let fields = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        return fields.count > 4 ? String(fields[4]) : ""
    }

    // MARK: Connections

    /// Counts a connection, unless the answer is ``Admission/unanswered``; ``leave(_:of:)`` is owed then.
    ///
    /// - Parameters:
    ///   - nodeMax: connections of all accounts that are served at once; as many again are answered.
    ///   - isRefused: whether the connection is refused in any case and only its answer needs a place.
    func admit(_ account: String, nodeMax: Int, isRefused: Bool) -> Admission {
        let accountMax = max(1, nodeMax / Self.accountDivisor)
        return state.withLock { state in
            var all = state.connections
            let admission = state.update(account) { account -> Admission in
                if !isRefused, account.connections.served < accountMax, all.served < nodeMax {
                    account.connections.served += 1
                    all.served += 1
                    return .served
                }
                guard account.connections.answered < accountMax, all.answered < nodeMax else { return .unanswered }
                let scope = account.connections.served < accountMax ? Scope.node : .account
                account.connections.answered += 1
                all.answered += 1
                return .refused(scope)
            }
            state.connections = all
            return admission
        }
    }

    /// Gives the place of a connection back.
    func leave(_ place: Place, of account: String) {
        let counter: WritableKeyPath<Connections, Int> = place == .served ? \.served : \.answered
        state.withLock { state in
            state.connections[keyPath: counter] -= 1
            state.update(account) { $0.connections[keyPath: counter] -= 1 }
        }
    }

    // MARK: Look-ups

    /// Takes a look-up of the account's; ``endLookup(of:)`` is owed then.
    ///
    /// - Parameters:
    ///   - id: who asks, and waits once only.
    ///   - wake: called from any thread, when the answer was `false`, with a look-up taken for the one who waits.
    func takeLookup(of account: String, for id: ObjectIdentifier, orLater wake: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            state.update(account) { account in
                guard account.lookups >= Self.lookupsPerAccount else {
                    account.lookups += 1
                    return true
                }
                account.waiters.append(Waiter(id: id, wake: wake))
                return false
            }
        }
    }

    /// Hands a look-up on to the account's next, or gives it back.
    func endLookup(of account: String) {
        let next = state.withLock { state in
            state.update(account) { account -> Waiter? in
                guard account.waiters.isEmpty else { return account.waiters.removeFirst() }
                account.lookups -= 1
                return nil
            }
        }
        next?.wake()
    }

    /// No longer waits for a look-up. One that has already been handed over must still be ended. O(containers of the account).
    func withdraw(_ id: ObjectIdentifier, of account: String) {
        state.withLock { state in
            state.update(account) { account in account.waiters.removeAll { $0.id == id } }
        }
    }
}
