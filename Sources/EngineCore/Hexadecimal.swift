/// Appends two lower-case digits for each byte. Inlinable, because every call's signature is written in these digits.
@inlinable
public func appendHexadecimal(_ bytes: some Sequence<UInt8>, to text: inout [UInt8]) {
    for byte in bytes {
        text.append(hexadecimalDigit(byte >> 4))
        text.append(hexadecimalDigit(byte & 15))
    }
}

@usableFromInline
@inline(__always)
func hexadecimalDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
