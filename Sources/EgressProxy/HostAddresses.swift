internal import EngineCore
internal import NIOCore
internal import Synchronization

/// The addresses of this machine's interfaces (getifaddrs(3)), so that a connection to itself is refused before it is made.
///
/// They may be some seconds old, and an address may be this machine's without being an interface's (`ip route add local`): where a
/// connection has really led is checked again when there is one.
final class HostAddresses: Sendable {
    static let shared = HostAddresses()

    /// How long the addresses are believed; reading them takes time for each interface, and a node has many.
    static let age = TimeAmount.seconds(5)

    private struct Known {
        var addresses: Set<IPAddress> = []
        var expires: NIODeadline?
    }

    private let known = Mutex(Known())

    /// O(1); once in ``age`` O(interfaces), with system calls. When the kernel does not tell, what was known last counts.
    func contains(_ address: IPAddress, now: NIODeadline = .now()) -> Bool {
        known.withLock { known in
            if known.expires.map({ now >= $0 }) ?? true {
                known.expires = now + Self.age
                if let devices = try? System.enumerateDevices() {
                    known.addresses = Set(devices.compactMap { IPAddress($0.address) })
                }
            }
            return known.addresses.contains(address)
        }
    }
}
