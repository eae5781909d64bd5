public import EngineCore

/// One connection of a function to the outside, from its acceptance to its end.
public struct EgressRecord: Hashable, Sendable, CustomStringConvertible {
    /// Why a connection was not made, or how it ended.
    public enum Verdict: String, Hashable, Sendable, CaseIterable {
        /// It was permitted and made; one of its ends has closed it.
        case relayed
        /// The request is not one of a proxy, or cannot be read in one way only.
        case malformed
        /// The request's headers are larger than the limit.
        case headerTooLarge
        /// The request's headers did not come in time.
        case headerTimeout
        /// No entry lists the name or the address, at that port.
        case deniedTarget
        /// A listed name leads to addresses that nobody listed: DNS rebinding, or a service of the owner's own network.
        case deniedAddress
        /// The name has no address.
        case unresolvable
        /// No address answered, or the answer was not HTTP.
        case unreachable
        /// There was no connection in time.
        case connectTimeout
        /// Nothing came from either end for too long.
        case idleTimeout
        /// The connection carried more than it may.
        case connectionBytes
        /// The container's connections carried more than they may in its life.
        case containerBytes
        /// The container had too many connections, or its account, or the node.
        case tooManyConnections
        /// The function went away before there was a connection.
        case clientGone
        /// The container ended.
        case closed
    }

    /// The function's ARN.
    public let function: String
    /// The request's method; empty when it could not be read.
    public internal(set) var method = ""
    /// `host:port` as asked for, in lower case; empty when it could not be read.
    public internal(set) var target = ""
    /// `address:port` that was connected to.
    public internal(set) var address: String?
    public internal(set) var verdict = Verdict.closed
    /// From the function to the target.
    public internal(set) var sent = ByteCount.zero
    /// From the target to the function.
    public internal(set) var received = ByteCount.zero
    public internal(set) var duration = Duration.zero

    init(function: String) { self.function = function }

    /// One line for a log. It holds nothing that could begin another one.
    public var description: String {
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        return "egress \(function) \(method.isEmpty ? "-" : method) \(target.isEmpty ? "-" : target) \(address ?? "-") "
            + "\(verdict.rawValue) sent=\(sent.bytes) received=\(received.bytes) duration=\(milliseconds)ms"
    }
}
