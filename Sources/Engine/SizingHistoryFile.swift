internal import CapacityPools
internal import Foundation
internal import Logging
internal import SystemPackage

/// How demand went by the time of day, kept over restarts: a file in the data folder, written now and then and at the end.
struct SizingHistoryFile: Sendable {
    static let interval = Duration.seconds(600)

    let path: FilePath
    let logger: Logger

    /// Blocking. A file that is not there, or cannot be read, is an empty history.
    func read() -> SizingHistory {
        guard let data = FileManager.default.contents(atPath: path.string) else { return SizingHistory() }
        do {
            return try JSONDecoder().decode(SizingHistory.self, from: data)
        } catch {
            logger.warning("the history of demand cannot be read and begins anew", metadata: ["error": "\(error)"])
            return SizingHistory()
        }
    }

    /// Blocking; written whole or not at all.
    func write(_ history: SizingHistory) {
        do {
            try JSONEncoder().encode(history).write(to: URL(filePath: path.string), options: .atomic)
        } catch {
            logger.warning("the history of demand is not kept", metadata: ["error": "\(error)"])
        }
    }

    /// Writes it now and then, until cancelled.
    func keep(_ history: @Sendable () -> SizingHistory) async {
        while (try? await Task.sleep(for: Self.interval)) != nil { write(history()) }
    }
}
