internal import Foundation
internal import Glibc
internal import NIOPosix

/// A terminal that is drawn over and over, and given back as it was.
///
/// The screen is the terminal's alternate one, so that what stood there comes back. A frame is one write that overwrites the lines in
/// place and clears only what is left of each, so that nothing flickers.
final class LiveScreen {
    private static let enter = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[H\u{1b}[2J"
    private static let leave = "\u{1b}[?25h\u{1b}[?1049l"

    /// How keys came before; `nil` where standard input is no terminal.
    private let settings: termios?
    private let signals: [any DispatchSourceSignal]

    /// - Throws: `CommandFailure` when the terminal cannot be set up.
    init() throws {
        var before = termios()
        let hasKeys = isatty(STDIN_FILENO) == 1
        if hasKeys {
            guard tcgetattr(STDIN_FILENO, &before) == 0 else { throw CommandFailure("The terminal does not say how it is set: \(errno).") }
            var raw = before
            // Keys come at once and unseen; Ctrl-C is one of them.
            raw.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
            guard tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0 else { throw CommandFailure("The terminal cannot be set: \(errno).") }
        }
        settings = hasKeys ? before : nil
        let settings = settings
        signals = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler {
                Self.restore(settings)
                exit(128 + number)
            }
            source.resume()
            return source
        }
        Self.write(Self.enter)
    }

    func restore() {
        for source in signals { source.cancel() }
        Self.restore(settings)
    }

    private static func restore(_ settings: termios?) {
        write(leave)
        if var settings { tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) }
    }

    /// - Parameter lines: not longer than the terminal is wide, and not more than it is high.
    func draw(_ lines: [String]) { Self.write(Self.frame(lines)) }

    /// The bytes of one frame; a terminal that can shows it only when it is whole.
    static func frame(_ lines: [String]) -> String {
        "\u{1b}[?2026h\u{1b}[H" + lines.map { "\($0)\u{1b}[K" }.joined(separator: "\r\n") + "\u{1b}[J\u{1b}[?2026l"
    }

    /// Waits for so long, or until the person ends it by `q` or Ctrl-C. - Returns: whether that was so.
    func isEnded(within time: Duration) async throws -> Bool {
        guard settings != nil else {
            try await Task.sleep(for: time)
            return false
        }
        let end = ContinuousClock.now + time
        while case let left = end - .now, left > .zero {
            let (seconds, attoseconds) = left.components
            let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
            // The wait blocks its thread, so it is none of those that others need.
            let key = try await NIOThreadPool.singleton.runIfActive { Self.key(within: Int32(clamping: milliseconds + 1)) }
            switch key {
            case .character(UInt8(ascii: "q")), .character(UInt8(ascii: "Q")), .character(3), .closed: return true
            case .character, .none: continue
            }
        }
        return false
    }

    private enum Key: Sendable {
        case character(UInt8)
        case none
        case closed
    }

    private static func key(within milliseconds: Int32) -> Key {
        var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, milliseconds) > 0 else { return .none }
        var byte: UInt8 = 0
        return read(STDIN_FILENO, &byte, 1) == 1 ? .character(byte) : .closed
    }

    /// Writes all of it; a terminal that is gone ends the program by SIGHUP, not here.
    private static func write(_ text: String) { do { try StandardOutput.write(text.utf8) } catch { return } }
}
