/// All addresses that begin with the same bits, `10.0.0.0/8`.
public struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    /// The lowest address of the network.
    public let first: IPAddress
    /// How many leading bits are the same, 0…32 or 0…128.
    public let prefixLength: Int

    /// - Returns: `nil` when the prefix is longer than the address, or the address has bits behind the prefix.
    public init?(_ first: IPAddress, prefixLength: Int) {
        guard (0...first.family.bitCount).contains(prefixLength) else { return nil }
        guard Self.masked(first.bits, prefixLength, first.family) == first.bits else { return nil }
        self.first = first
        self.prefixLength = prefixLength
    }

    /// The network of that length that an address lies in.
    ///
    /// - Precondition: `prefixLength` is not longer than the address.
    public init(of address: IPAddress, prefixLength: Int) {
        precondition((0...address.family.bitCount).contains(prefixLength), "a prefix cannot be longer than its address")
        let bits = Self.masked(address.bits, prefixLength, address.family)
        first = address.family == .v4 ? IPAddress(v4: UInt32(bits)) : IPAddress(v6: bits)
        self.prefixLength = prefixLength
    }

    public func contains(_ address: IPAddress) -> Bool {
        address.family == first.family && Self.masked(address.bits, prefixLength, address.family) == first.bits
    }

    /// Whether every address of `other` is one of this network's.
    public func contains(_ other: IPNetwork) -> Bool { prefixLength <= other.prefixLength && contains(other.first) }

    public var description: String { "\(first)/\(prefixLength)" }

    private static func masked(_ bits: UInt128, _ prefixLength: Int, _ family: IPAddress.Family) -> UInt128 {
        let count = family.bitCount - prefixLength
        return count == 128 ? 0 : (bits >> UInt128(count)) << UInt128(count)
    }
}
