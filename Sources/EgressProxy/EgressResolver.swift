public import EngineCore
internal import Glibc
public import NIOCore
internal import NIOPosix

/// Where the proxy learns the addresses of a name. All of them come back, because each is checked before any is connected to.
public protocol EgressResolver: Sendable {
    /// - Parameter name: in lower case, without a dot at its end, never an address.
    /// - Returns: in the order in which they should be tried; a failed future or none at all when the name has no address.
    func addresses(of name: String, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]>
}

/// As this machine resolves names: `getaddrinfo` (RFC 3493, section 6.1), on threads of its own because it blocks.
public final class SystemEgressResolver: EgressResolver {
    /// Names that are looked up at once for all containers; further ones wait. ``EgressLimits/resolutionsMax`` keeps one
    /// container, and ``EgressShares`` one account, from taking all threads with names whose servers do not answer.
    public static let threads = 16

    /// The process's own. Its threads are started with the first look-up and stay.
    public static let shared = SystemEgressResolver()

    /// `getaddrinfo` failed with that code.
    struct LookupFailure: Error {
        let code: Int32
    }

    private let pool: NIOThreadPool

    private init() {
        pool = NIOThreadPool(numberOfThreads: Self.threads)
        pool.start()
    }

    public func addresses(of name: String, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        pool.runIfActive(eventLoop: eventLoop) { try Self.lookUp(name) }
    }

    private static func lookUp(_ name: String) throws -> [IPAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, nil, &hints, &list)
        guard code == 0, let list else { throw LookupFailure(code: code) }
        defer { freeaddrinfo(list) }
        var addresses: [IPAddress] = []
        // SAFETY: the list and what it points to are valid until freeaddrinfo. An address lies 4 bytes into a sockaddr_in (ip(7)) and
        // 8 bytes into a sockaddr_in6 (ipv6(7)), and each sockaddr is as long as its family says.
        for entry in sequence(first: list, next: { $0.pointee.ai_next }) {
            guard let socketAddress = UnsafeRawPointer(entry.pointee.ai_addr) else { continue }
            let bytes: UnsafeRawBufferPointer
            switch entry.pointee.ai_family {
            case AF_INET: bytes = UnsafeRawBufferPointer(start: socketAddress + 4, count: 4)
            case AF_INET6: bytes = UnsafeRawBufferPointer(start: socketAddress + 8, count: 16)
            default: continue
            }
            if let address = IPAddress(networkOrder: bytes) { addresses.append(address) }
        }
        return addresses
    }
}
