import EngineCore

/// The trace header of a call that came without one.
enum TraceID {
    /// `Root=1-SECONDS-RANDOM;Parent=RANDOM;Sampled=0`, the form of AWS X-Ray.
    ///
    /// The random digits are those of the request's own identifier: as good as others, without asking the kernel again, and a trace
    /// can be found by the request.
    static func make(epochSeconds: Double, request: RequestID) -> String {
        let digits = Array(request.description.utf8.filter { $0 != UInt8(ascii: "-") })
        var text: [UInt8] = []
        text.reserveCapacity(72)
        text.append(contentsOf: "Root=1-".utf8)
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: Int64(epochSeconds)).bigEndian) { appendHexadecimal($0, to: &text) }
        text.append(UInt8(ascii: "-"))
        text.append(contentsOf: digits.suffix(24))
        text.append(contentsOf: ";Parent=".utf8)
        text.append(contentsOf: digits.prefix(16))
        text.append(contentsOf: ";Sampled=0".utf8)
        return String(decoding: text, as: UTF8.self)
    }
}
