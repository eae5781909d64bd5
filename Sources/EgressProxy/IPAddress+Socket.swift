internal import EngineCore
internal import NIOCore

extension IPAddress {
    /// - Parameter bytes: 4 of IPv4 or 16 of IPv6, in network order.
    /// - Returns: `nil` for another number of bytes.
    init?(networkOrder bytes: UnsafeRawBufferPointer) {
        let bits = bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        switch bytes.count {
        case 4: self.init(v4: UInt32(bits))
        case 16: self.init(v6: bits)
        default: return nil
        }
    }

    /// - Returns: `nil` for a socket that is not of the internet.
    init?(_ address: SocketAddress?) {
        guard let text = address?.ipAddress else { return nil }
        self.init(text)
    }

    func socketAddress(port: Int) throws -> SocketAddress {
        let count = family == .v4 ? 4 : 16
        let bytes = (0..<count).reversed().map { UInt8(truncatingIfNeeded: bits >> UInt128(8 * $0)) }
        return try SocketAddress(packedIPAddress: ByteBuffer(bytes: bytes), port: port)
    }
}
