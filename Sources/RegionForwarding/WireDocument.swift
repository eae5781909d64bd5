import NIOCore

/// The names of a document's fields; 1 to 63. A number is never used again for something else.
protocol DocumentTag: RawRepresentable<UInt8>, Sendable {}

/// Writes a document as one node sends it to another.
///
/// ```
/// document = field …
/// field    = tag (1 byte) · length (4 bytes, big-endian) · that many bytes
///
/// text              UTF-8
/// whole number      8 bytes, two's complement, big-endian
/// fraction          8 bytes, IEEE 754, big-endian
/// yes or no         1 byte, 1 or 0
/// document          fields again, with tags of their own
/// ```
///
/// Fields come in any order, each at most once, and what is not known is left out. A reader passes over tags that it does not know. It is
/// neither JSON nor a set of HTTP fields because every forwarded call writes and reads two of these: either took more of a call's
/// processor time than all else a node did to the call.
struct DocumentWriter<Tag: DocumentTag> {
    private(set) var buffer = ByteBuffer()

    init(capacity: Int) { buffer.reserveCapacity(capacity) }

    mutating func add(_ tag: Tag, _ text: String?) {
        guard let text else { return }
        let start = begin(tag)
        buffer.writeString(text)
        end(start)
    }

    mutating func add(_ tag: Tag, _ number: Int?) {
        guard let number else { return }
        buffer.writeMultipleIntegers(tag.rawValue, UInt32(8), Int64(number))
    }

    mutating func add(_ tag: Tag, _ fraction: Double?) {
        guard let fraction else { return }
        buffer.writeMultipleIntegers(tag.rawValue, UInt32(8), fraction.bitPattern)
    }

    mutating func add(_ tag: Tag, _ flag: Bool) {
        buffer.writeMultipleIntegers(tag.rawValue, UInt32(1), UInt8(flag ? 1 : 0))
    }

    mutating func add<Other>(_ tag: Tag, _ document: DocumentWriter<Other>?) {
        guard let document else { return }
        let start = begin(tag)
        buffer.writeImmutableBuffer(document.buffer)
        end(start)
    }

    private mutating func begin(_ tag: Tag) -> Int {
        buffer.writeMultipleIntegers(tag.rawValue, UInt32(0))
        return buffer.writerIndex
    }

    /// The length is known now.
    private mutating func end(_ start: Int) {
        buffer.setInteger(UInt32(buffer.writerIndex - start), at: start - 4)
    }
}

/// Reads what ``DocumentWriter`` has written, or claims to be that.
struct DocumentReader<Tag: DocumentTag> {
    /// What a document that is wrong is the fault of.
    struct Fault {
        let code: ForwardingError.Code
        /// Such as "The request".
        let subject: String
    }

    private static var tagsMax: Int { 64 }

    private let buffer: ByteBuffer
    /// Where each field's value is, by tag.
    private var places: [Range<Int>?]
    private let fault: Fault

    /// O(its length).
    /// - Throws: the fault's code when it is cut off or has a field twice.
    init(_ document: ByteBuffer, _ fault: Fault) throws(ForwardingError) {
        buffer = document
        places = Array(repeating: nil, count: Self.tagsMax)
        self.fault = fault
        var rest = document
        while let tag = rest.readInteger(as: UInt8.self) {
            guard let count = rest.readInteger(as: UInt32.self), rest.readableBytes >= Int(count) else { throw error("was cut off") }
            let start = rest.readerIndex
            rest.moveReaderIndex(forwardBy: Int(count))
            guard tag < Self.tagsMax, let known = Tag(rawValue: tag) else { continue }
            guard places[Int(tag)] == nil else { throw error("has \(known) twice") }
            places[Int(tag)] = start..<start + Int(count)
        }
    }

    func text(_ tag: Tag, bytesMax: Int = ForwardWire.documentBytesMax) throws(ForwardingError) -> String? {
        guard let place = places[Int(tag.rawValue)] else { return nil }
        guard place.count <= bytesMax else { throw error("has a \(tag) longer than \(bytesMax) bytes") }
        return buffer.getString(at: place.lowerBound, length: place.count)
    }

    func number(_ tag: Tag) throws(ForwardingError) -> Int? {
        try value(tag, byteCount: 8) { buffer.getInteger(at: $0, as: Int64.self).flatMap { Int(exactly: $0) } }
    }

    /// No time and no measure is larger: 31 years in milliseconds, the year 33658 in seconds.
    static var fractionMax: Double { 1e12 }

    /// - Throws: the fault's code also when it is not in the range, which no number is that is none.
    func fraction(_ tag: Tag, in range: ClosedRange<Double> = 0...fractionMax) throws(ForwardingError) -> Double? {
        try value(tag, byteCount: 8) { at in
            buffer.getInteger(at: at, as: UInt64.self).map { Double(bitPattern: $0) }.flatMap { range.contains($0) ? $0 : nil }
        }
    }

    func flag(_ tag: Tag) throws(ForwardingError) -> Bool? {
        try value(tag, byteCount: 1) { buffer.getInteger(at: $0, as: UInt8.self).flatMap { $0 <= 1 ? $0 == 1 : nil } }
    }

    func document<Other>(_ tag: Tag, as _: Other.Type) throws(ForwardingError) -> DocumentReader<Other>? {
        guard let place = places[Int(tag.rawValue)] else { return nil }
        guard let content = buffer.getSlice(at: place.lowerBound, length: place.count) else { throw error("was cut off") }
        return try DocumentReader<Other>(content, .init(code: fault.code, subject: fault.subject))
    }

    // MARK: - Values of the engine's types

    /// - Throws: the fault's code when there is a text that `parse` does not know.
    func optional<Value>(
        _ tag: Tag, bytesMax: Int = ForwardWire.fieldBytesMax, _ parse: (String) -> Value?
    ) throws(ForwardingError) -> Value? {
        guard let text = try text(tag, bytesMax: bytesMax) else { return nil }
        guard let value = parse(text) else { throw error("has a \(tag) that cannot be") }
        return value
    }

    func required<Value>(
        _ tag: Tag, bytesMax: Int = ForwardWire.fieldBytesMax, _ parse: (String) -> Value?
    ) throws(ForwardingError) -> Value {
        try required(tag, try optional(tag, bytesMax: bytesMax, parse))
    }

    /// - Throws: the fault's code when there is no value.
    func required<Value>(_ tag: Tag, _ value: Value?) throws(ForwardingError) -> Value {
        guard let value else { throw error("lacks \(tag)") }
        return value
    }

    /// - Throws: the fault's code when the number is not in the range.
    func number(_ tag: Tag, in range: ClosedRange<Int>) throws(ForwardingError) -> Int? {
        guard let number = try number(tag) else { return nil }
        guard range.contains(number) else { throw error("has a \(tag) that cannot be") }
        return number
    }

    private func value<Value>(_ tag: Tag, byteCount: Int, _ read: (Int) -> Value?) throws(ForwardingError) -> Value? {
        guard let place = places[Int(tag.rawValue)] else { return nil }
        guard place.count == byteCount, let value = read(place.lowerBound) else { throw error("has a \(tag) that cannot be") }
        return value
    }

    private func error(_ what: String) -> ForwardingError { ForwardingError(fault.code, "\(fault.subject) \(what).") }
}
