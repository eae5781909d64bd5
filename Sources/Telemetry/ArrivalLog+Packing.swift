// Rows as bytes, for the way from a node to the tool that writes the trace: 21 to a row, little-endian, without padding.
extension ArrivalLog {
    /// Bytes of a row: arrival 8, function 4, duration 4, added 4, fate 1.
    public static let rowByteCount = 21

    public static func pack(_ rows: [Row]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.count * rowByteCount)
        for row in rows {
            append(row.arrival.bitPattern, to: &bytes)
            append(row.function, to: &bytes)
            append(row.duration.bitPattern, to: &bytes)
            append(row.added.bitPattern, to: &bytes)
            bytes.append(row.fate.rawValue)
        }
        return bytes
    }

    /// - Returns: `nil` for bytes that ``pack(_:)`` does not make.
    public static func unpack(_ bytes: [UInt8]) -> [Row]? {
        guard bytes.count.isMultiple(of: rowByteCount) else { return nil }
        var rows: [Row] = []
        rows.reserveCapacity(bytes.count / rowByteCount)
        for first in stride(from: 0, to: bytes.count, by: rowByteCount) {
            guard let fate = Fate(rawValue: bytes[first + 20]) else { return nil }
            rows.append(
                Row(
                    arrival: Double(bitPattern: number(bytes, at: first)), function: number(bytes, at: first + 8),
                    duration: Float(bitPattern: number(bytes, at: first + 12)), added: Float(bitPattern: number(bytes, at: first + 16)),
                    fate: fate))
        }
        return rows
    }

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func number<Number: FixedWidthInteger>(_ bytes: [UInt8], at first: Int) -> Number {
        (0..<Number.bitWidth / 8).reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: bytes[first + $1]) }
    }
}
