#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// IP addresses as the bytes that stand in certificates (RFC 5280, section 4.2.1.6).
enum IPAddressBytes {
    /// - Returns: 4 or 16 bytes in network order; `nil` unless `text` is an IPv4 or IPv6 address (inet_pton(3)).
    static func parse(_ text: String) -> [UInt8]? {
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
