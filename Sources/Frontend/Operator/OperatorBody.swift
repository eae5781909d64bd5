import HTTPTypes
import HummingbirdCore
import NIOCore

/// The small JSON object that a change of capacity is asked with.
struct OperatorBody {
    /// Bytes; the largest has a function's ARN and three more members.
    static let bytesMax = 16 << 10

    private let members: [String: JSONValue]

    /// - Parameter names: the members that there may be.
    /// - Throws: 413 for too large a body, 400 for one that is no object of such members.
    init(_ body: RequestBody, members names: [String]) async throws(OperatorFailure) {
        let bytes: ByteBuffer
        do {
            bytes = try await body.collect(upTo: Self.bytesMax)
        } catch is NIOTooManyBytesError {
            throw OperatorFailure(.contentTooLarge, "body_too_large", "The body has more than \(Self.bytesMax) bytes. Send only \(names).")
        } catch {
            throw OperatorFailure(.badRequest, "body_cut_off", "The body did not arrive whole: \(error). Send it again.")
        }
        let list = names.map { "'\($0)'" }.joined(separator: ", ")
        let value: JSONValue
        do throws(JSONFault) { value = try JSONValue(parsing: bytes) } catch { throw Self.invalid("The body is not JSON: \(error).", list) }
        guard case .object(let members) = value else { throw Self.invalid("The body is no object.", list) }
        if let other = members.keys.sorted().first(where: { !names.contains($0) }) {
            throw Self.invalid("'\(other.prefix(64))' is no member of it.", list)
        }
        self.members = members.filter { $0.value != .null }
    }

    private static func invalid(_ message: String, _ list: String) -> OperatorFailure {
        OperatorFailure(.badRequest, "invalid_body", "\(message) Send an object with \(list).")
    }

    /// - Returns: `nil` where the member is not there.
    func text(_ name: String) throws(OperatorFailure) -> String? {
        guard let value = members[name] else { return nil }
        guard let text = value.text else { throw OperatorFailure(.badRequest, "invalid_\(name)", "'\(name)' is no text.") }
        return text
    }

    /// - Returns: `nil` where the member is not there.
    func number(_ name: String, in range: ClosedRange<Int>) throws(OperatorFailure) -> Int? {
        guard let value = members[name] else { return nil }
        guard let number = value.integer, range.contains(number) else {
            throw OperatorFailure(
                .badRequest, "invalid_\(name)",
                "'\(name)' is no whole number from \(range.lowerBound) to \(range.upperBound). Give one.")
        }
        return number
    }

    func missing(_ name: String, _ what: String) -> OperatorFailure {
        OperatorFailure(.badRequest, "invalid_\(name)", "'\(name)' is missing. Give \(what).")
    }
}
