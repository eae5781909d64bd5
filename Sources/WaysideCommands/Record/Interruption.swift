internal import Foundation
internal import Glibc
internal import Synchronization

/// Ctrl-C, taken as "that is enough" instead of as the end of the program. One to a process.
struct Interruption {
    private static let came = Atomic<Bool>(false)

    init() {
        // Storing to an atomic is allowed in a signal handler (signal-safety(7)).
        signal(SIGINT) { _ in Interruption.came.store(true, ordering: .relaxed) }
    }

    /// Waits so long, or until it has come.
    /// - Returns: whether it has.
    func pause(seconds: Double) async -> Bool {
        let end = Date().addingTimeInterval(seconds)
        while !Self.came.load(ordering: .relaxed), Date() < end {
            do { try await Task.sleep(for: .milliseconds(100)) } catch { return true }
        }
        return Self.came.load(ordering: .relaxed)
    }
}

extension Terminal {
    /// Overwrites a line on the person's screen; nothing where nobody looks. `nil` ends the line.
    static func progress(_ text: String?) {
        guard isatty(STDERR_FILENO) == 1 else { return }
        let line = text.map { "\r\u{1B}[K\($0)" } ?? "\r\u{1B}[K"
        note(Data(line.utf8))
    }
}
