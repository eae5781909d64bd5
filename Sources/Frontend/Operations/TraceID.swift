/// The trace header of a call that came without one.
enum TraceID {
    /// `Root=1-SECONDS-RANDOM;Parent=RANDOM;Sampled=0`, the form of AWS X-Ray.
    static func make(epochSeconds: Double) -> String {
        var generator = SystemRandomNumberGenerator()
        let (high, low, parent): (UInt32, UInt64, UInt64) = (generator.next(), generator.next(), generator.next())
        var text: [UInt8] = []
        text.reserveCapacity(72)
        text.append(contentsOf: "Root=1-".utf8)
        append(UInt32(truncatingIfNeeded: Int64(epochSeconds)), to: &text)
        text.append(UInt8(ascii: "-"))
        append(high, to: &text)
        append(low, to: &text)
        text.append(contentsOf: ";Parent=".utf8)
        append(parent, to: &text)
        text.append(contentsOf: ";Sampled=0".utf8)
        return String(decoding: text, as: UTF8.self)
    }

    private static func append(_ number: some FixedWidthInteger, to text: inout [UInt8]) {
        withUnsafeBytes(of: number.bigEndian) { appendHexadecimal($0, to: &text) }
    }
}
