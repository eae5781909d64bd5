import NIOCore
import RegionForwarding
import Testing

/// A document taken apart byte by byte, as ``DocumentWriter`` describes it, to be changed by a test.
struct RawDocument {
    struct CutOff: Error {}

    var fields: [(tag: UInt8, value: ByteBuffer)] = []

    init(_ document: ByteBuffer) throws {
        var rest = document
        while let tag = rest.readInteger(as: UInt8.self) {
            guard let count = rest.readInteger(as: UInt32.self), let value = rest.readSlice(length: Int(count)) else { throw CutOff() }
            fields.append((tag, value))
        }
    }

    /// The document of a request's opening section.
    init(opening: ByteBuffer) throws {
        var rest = opening
        #expect(rest.readInteger(as: UInt8.self) == 7)
        #expect(rest.readInteger(as: UInt32.self).map { Int($0) } == rest.readableBytes)
        try self.init(rest)
    }

    var bytes: ByteBuffer {
        var bytes = ByteBuffer()
        for (tag, value) in fields {
            bytes.writeMultipleIntegers(tag, UInt32(value.readableBytes))
            bytes.writeImmutableBuffer(value)
        }
        return bytes
    }

    /// As a request's opening section.
    var opening: ByteBuffer {
        var opening = ByteBuffer()
        opening.writeMultipleIntegers(UInt8(7), UInt32(bytes.readableBytes))
        opening.writeImmutableBuffer(bytes)
        return opening
    }

    subscript(tag: UInt8) -> ByteBuffer? {
        get { fields.first { $0.tag == tag }?.value }
        set {
            fields.removeAll { $0.tag == tag }
            if let newValue { fields.append((tag, newValue)) }
        }
    }
}

extension ByteBuffer {
    init(number: Int) { self.init(integer: Int64(number)) }
}
