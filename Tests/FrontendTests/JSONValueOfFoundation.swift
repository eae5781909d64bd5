import Foundation

/// Foundation's own parser, to compare with.
enum JSONValueOfFoundation {
    static func parse(_ bytes: [UInt8]) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
    }
}
