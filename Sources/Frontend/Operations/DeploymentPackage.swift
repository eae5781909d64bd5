import ContentDistribution
import EngineCore
import FunctionCatalog

/// The code that CreateFunction and UpdateFunctionCode carry.
struct DeploymentPackage: Sendable {
    let zip: [UInt8]

    /// - Throws: `InvalidParameterValueException` for code elsewhere than in the request, `RequestEntityTooLargeException` for too
    ///   much of it.
    init(_ code: RequestObject, limits: LambdaLimits) throws(LambdaError) {
        if code["S3Bucket"] != nil || code["S3Key"] != nil { throw .unsupported("Code in S3", "Send the package as ZipFile.") }
        if code["ImageUri"] != nil { throw .unsupported("ImageUri", "Send a package as ZipFile.") }
        guard let zip = try code.bytes("ZipFile") else {
            throw LambdaError(.invalidParameterValue, "Please provide a source for function code.")
        }
        guard zip.count <= limits.zippedBytes.bytes else { throw .zippedTooLarge(bytes: limits.zippedBytes.bytes) }
        guard !zip.isEmpty else { throw LambdaError(.invalidParameterValue, "Uploaded file must be a non-empty zip") }
        self.zip = zip
    }

    /// Unpacks and keeps the package. Blocks.
    func store(in bundles: BundleStore) throws(LambdaError) -> CodeReference {
        do throws(ContentError) {
            return CodeReference(digest: try bundles.add(zip), size: ByteCount(zip.count))
        } catch {
            throw LambdaError(error, limits: bundles.extractor.limits)
        }
    }
}
