internal import Foundation
internal import Glibc

/// Where the tool's text goes.
enum Terminal {
    /// Columns of what standard output goes to: of a terminal its width, at most 120 because longer lines are hard to read; else 80.
    static var columns: Int {
        var size = winsize()
        guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return min(max(Int(size.ws_col), 40), 120)
    }

    /// Says something to the person that is not the result.
    static func note(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
}
