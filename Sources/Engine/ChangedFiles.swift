internal import Foundation
internal import SystemPackage

/// Notices that files have changed and have come to rest.
///
/// Whoever replaces a certificate and its key, or writes a configuration anew, is not done at once. So a change counts when two looks
/// in a row have found the same.
struct ChangedFiles {
    /// Modification time, size and number of each file; `nil` for one that is not there.
    struct Stamp: Hashable {
        var modified: Date?
        var size: UInt64?
        var number: UInt64?
    }

    private var read: [Stamp?]
    private var seen: [Stamp?]?

    /// - Parameter present: the stamps of what has been read.
    init(_ present: [Stamp?]) { read = present }

    /// - Returns: whether they are to be read now. O(files).
    mutating func look(_ present: [Stamp?]) -> Bool {
        guard present != read else {
            seen = nil
            return false
        }
        guard present == seen else {
            seen = present
            return false
        }
        read = present
        seen = nil
        return true
    }

    static func stamps(_ files: [FilePath]) -> [Stamp?] {
        files.map { file in
            guard let attributes = try? FileManager.default.attributesOfItem(atPath: file.string) else { return nil }
            return Stamp(
                modified: attributes[.modificationDate] as? Date, size: (attributes[.size] as? NSNumber)?.uint64Value,
                number: (attributes[.systemFileNumber] as? NSNumber)?.uint64Value)
        }
    }
}
