internal import Foundation

/// An event as the command line takes it: JSON text, `@FILE`, or `-` for standard input.
enum EventArgument {
    static func bytes(_ argument: String) throws -> [UInt8] {
        if argument == "-" { return Array(FileHandle.standardInput.readDataToEndOfFile()) }
        guard argument.hasPrefix("@") else { return Array(argument.utf8) }
        let file = String(argument.dropFirst())
        guard let data = FileManager.default.contents(atPath: file) else { throw CommandFailure("'\(file)' cannot be read.") }
        return Array(data)
    }
}
