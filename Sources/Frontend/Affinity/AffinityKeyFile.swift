import Crypto
import Foundation
public import SystemPackage

/// The file `affinity.key`: 32 random bytes, made at the first start, never written again.
///
/// A node alone needs nothing done. The nodes of a site must have the same file, or the token that one gave is void at the other. Who
/// has it can make tokens, and reach with them the containers of functions that they may invoke anyway. Losing it makes tokens void.
public enum AffinityKeyFile {
    public static let byteCount = 32

    /// Reads the key; makes one if there is none.
    /// - Throws: ``AffinityKeyError`` if the file cannot be read or made, or has another size: then it is not one, and is not replaced.
    public static func load(_ path: FilePath) throws(AffinityKeyError) -> [UInt8] {
        do {
            if let bytes = try read(path) { return try checked(bytes, path) }
            let key = SymmetricKey(size: .bits256).withUnsafeBytes { [UInt8]($0) }
            try make(path, key)
            return key
        } catch let error as AffinityKeyError {
            throw error
        } catch {
            throw AffinityKeyError("\(path) cannot be read or made: \(error). Make it and its folder writable for the engine's user.")
        }
    }

    private static func checked(_ bytes: [UInt8], _ path: FilePath) throws(AffinityKeyError) -> [UInt8] {
        guard bytes.count == byteCount else {
            throw AffinityKeyError(
                "\(path) has \(bytes.count) bytes instead of \(byteCount). Put the right one there, or remove it to have a new one made.")
        }
        return bytes
    }

    private static func read(_ path: FilePath) throws -> [UInt8]? {
        do {
            let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .noFollow])
            return try file.closeAfter {
                var bytes = [UInt8](repeating: 0, count: byteCount + 1)
                let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
                return Array(bytes.prefix(count))
            }
        } catch Errno.noSuchFileOrDirectory {
            return nil
        }
    }

    /// The file has all of its bytes or does not exist, whenever the machine stops. The node's folder is locked, so nobody makes it too.
    private static func make(_ path: FilePath, _ key: [UInt8]) throws {
        let draft = FilePath("\(path).new")
        if FileManager.default.fileExists(atPath: draft.string) { try FileManager.default.removeItem(atPath: draft.string) }
        let file = try FileDescriptor.open(
            draft, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow], permissions: [.ownerReadWrite])
        try file.closeAfter {
            try file.writeAll(key)
            guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
        }
        guard rename(draft.string, path.string) == 0 else { throw Errno(rawValue: errno) }
    }
}

/// Why the key of the tokens cannot be had, and what to do.
public struct AffinityKeyError: Error, Hashable, CustomStringConvertible {
    public let message: String
    public var description: String { message }

    init(_ message: String) { self.message = message }
}
