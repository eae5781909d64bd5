import ContentDistribution
import EngineCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import SystemPackage

extension LambdaResponder {
    /// The package behind a link of GetFunction, part by part, so that no download holds more than one part in memory.
    func download(_ link: CodeLinks.Link, now: Double) async throws(LambdaError) -> LambdaAnswer {
        guard link.isAuthentic else { throw LambdaError(.accessDenied, "The link is not one that this node gave.") }
        guard now < Double(link.expiry) else { throw LambdaError(.accessDenied, "The link has expired. Call GetFunction again.") }
        let path = services.bundles.packagePath(link.digest)
        let blocking = blocking
        let length = try await blocking.run { () throws(LambdaError) in
            guard let length = (try? PackageFile(path))?.length else {
                throw LambdaError(.resourceNotFound, "The package is no longer here.")
            }
            return length
        }
        let body = ResponseBody(contentLength: length) { writer in
            // Opened once more, so that a body that is never written leaves no descriptor open.
            let file = try await blocking.run { () throws(LambdaError) in
                guard let file = try? PackageFile(path), file.length == length else { throw LambdaError.serviceFailure }
                return file
            }
            var offset = 0
            while offset < length {
                let part = try await blocking.run { [offset] () throws(LambdaError) in try file.part(at: offset) }
                offset += part.readableBytes
                try await writer.write(part)
            }
            try await writer.finish(nil)
        }
        var answer = LambdaAnswer(status: .ok, body: body)
        answer.add(.contentType, "application/zip")
        return answer
    }
}

/// An open package, closed when nobody refers to it.
private final class PackageFile: Sendable {
    private static let partBytes = 256 << 10

    let length: Int
    private let descriptor: SystemPackage.FileDescriptor

    init(_ path: FilePath) throws {
        let descriptor = try SystemPackage.FileDescriptor.open(path, .readOnly, options: [.noFollow, .closeOnExec])
        self.descriptor = descriptor
        do {
            length = Int(try descriptor.seek(offset: 0, from: .end))
        } catch {
            try? descriptor.close()
            throw error
        }
    }

    deinit {
        // Nothing was written, so there is nothing that a failure to close could lose.
        try? descriptor.close()
    }

    /// The next bytes, at least one.
    func part(at offset: Int) throws(LambdaError) -> ByteBuffer {
        var part = ByteBuffer()
        do {
            let count = try part.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.partBytes) { bytes in
                let room = UnsafeMutableRawBufferPointer(rebasing: bytes[..<Self.partBytes])
                return try descriptor.read(fromAbsoluteOffset: Int64(offset), into: room)
            }
            guard count > 0 else { throw LambdaError.serviceFailure }
            return part
        } catch {
            throw LambdaError.serviceFailure
        }
    }
}
