internal import Foundation
internal import Glibc

/// Where the tool's text goes.
enum Terminal {
    /// Columns for prose: of a terminal its width, at most 120 because longer lines are hard to read; else 80.
    static var columns: Int { min(max(width ?? 80, 40), 120) }

    /// Columns for tables: as `COLUMNS` says, else as the terminal has; `nil` where the text goes to a file or another program, which
    /// wants all of it.
    static var width: Int? {
        if let text = ProcessInfo.processInfo.environment["COLUMNS"], let count = Int(text), count > 0 { return max(count, 20) }
        return size?.columns
    }

    /// Of the terminal that standard output goes to; `nil` if it goes to none.
    static var size: (columns: Int, lines: Int)? {
        var size = winsize()
        guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return (max(Int(size.ws_col), 20), max(Int(size.ws_row), 4))
    }

    /// Says something to the person that is not the result. Where nobody listens, it is not said.
    static func note(_ text: String) { note(Data("\(text)\n".utf8)) }

    static func note(_ text: Data) { do { try FileHandle.standardError.write(contentsOf: text) } catch { return } }

    /// The text on one line, without what a terminal would obey: strangers choose names and routing values.
    static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "\u{FFFD}" : $0 }))
    }

    /// How many places of a line the text takes: the wide characters of East Asia and the pictures take two (UAX #11). O(text).
    static func places(_ text: String) -> Int {
        text.reduce(0) { count, character in
            guard let scalar = character.unicodeScalars.first?.value, scalar >= 0x1100 else { return count + 1 }
            return count + (wide.contains { $0.contains(scalar) } ? 2 : 1)
        }
    }

    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6,
        0x1f300...0x1faff, 0x20000...0x3fffd,
    ]

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }
}
