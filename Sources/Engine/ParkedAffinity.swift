internal import CapacityPools
internal import Foundation
internal import Logging
internal import SystemPackage

/// The routing values of parked containers, from the end of one process to the start of the next: a file in the data folder.
struct ParkedAffinity: Sendable {
    /// A longer file is not read: no node writes it.
    static let bytesMax = 64 << 20

    let path: FilePath
    let logger: Logger

    /// Written whole or not at all; readable by the node's user alone, for routing values are its owners' affair.
    func write(_ rows: [SavedAffinityRow]) {
        guard !rows.isEmpty else { return }
        do {
            let draft = path.string + ".new"
            let data = try JSONEncoder().encode(rows)
            guard FileManager.default.createFile(atPath: draft, contents: data, attributes: [.posixPermissions: 0o600]) else {
                return logger.warning("routing values are lost with this process: \(draft) cannot be written")
            }
            try? FileManager.default.removeItem(atPath: path.string)
            try FileManager.default.moveItem(atPath: draft, toPath: path.string)
        } catch {
            logger.warning("routing values are lost with this process", metadata: ["error": "\(error)"])
        }
    }

    /// Reads the file and removes it: what it says holds for the next process alone. Blocking.
    func take() -> [SavedAffinityRow] {
        defer {
            for file in [path.string, path.string + ".new"] { try? FileManager.default.removeItem(atPath: file) }
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: path.string)[.size] as? Int) ?? 0
        guard size > 0, size <= Self.bytesMax, let data = FileManager.default.contents(atPath: path.string) else { return [] }
        do {
            return try JSONDecoder().decode([SavedAffinityRow].self, from: data)
        } catch {
            logger.warning("routing values of before the restart cannot be read", metadata: ["error": "\(error)"])
            return []
        }
    }
}
