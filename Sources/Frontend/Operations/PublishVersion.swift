import EngineCore
import FunctionCatalog

extension LambdaResponder {
    /// PublishVersion. Nothing changed since the last version answers that one again.
    func publishVersion(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        let (key, description, revision, given, digest) = try await blocking.run { [self] () throws(LambdaError) in
            let key = try call.unqualifiedKey()
            let request = try RequestObject(call.body)
            let description = try request.string("Description")
            let revision = try request.string("RevisionId")
            var validator = ConstraintValidator()
            validator.length(description, at: "description", in: 0...256)
            try validator.finish()
            let given = try request.string("CodeSha256")
            let digest = try given.map { (text) throws(LambdaError) in try codeDigest(text, key) }
            return (key, description, revision, given, digest)
        }
        let entry = try await making(key) { [self] (catalog, revisions, _) throws(LambdaError) in
            do throws(CatalogError) {
                return try catalog.publish(
                    key, description: description, expecting: revision, codeDigest: digest, revisions: revisions)
            } catch {
                if error.code == .codeDigestMismatch, let given { throw try codeMismatch(given, key) }
                throw LambdaError(error, key)
            }
        }
        return .configuration(entry, qualifier: entry.version.description, status: 201)
    }

    private func codeDigest(_ text: String, _ key: FunctionKey) throws(LambdaError) -> ContentDigest {
        guard let bytes = text.utf8.withContiguousStorageIfAvailable({ Base64.decode(UnsafeRawBufferPointer($0)) }) ?? nil,
            let digest = ContentDigest(bytes: bytes)
        else { throw try codeMismatch(text, key) }
        return digest
    }

    private func codeMismatch(_ given: String, _ key: FunctionKey) throws(LambdaError) -> LambdaError {
        let current = try reading(key) { (catalog) throws(CatalogError) in try catalog.entry(key, .latest) }
        return .codeDigestMismatch(given: given, current: Base64.encode(current.code.digest.bytes))
    }
}
