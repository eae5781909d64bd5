import ContentDistribution
import EngineCore

extension LambdaError {
    /// What a refused package is answered with: AWS's own words where it has any, the reason of the refusal where it has none.
    init(_ error: ContentError, limits: ExtractionLimits) {
        switch error.code {
        case .notAZip, .corrupt, .encrypted: self = .notUnzippable
        case .empty: self.init(.invalidParameterValue, "Uploaded file must be a non-empty zip")
        case .tooLarge: self = .unzippedTooLarge(bytes: limits.unzippedBytes.bytes)
        case .unsafeName, .unsafeLink, .unsupportedEntry, .duplicateName, .nameTooLong, .tooManyEntries:
            self.init(.invalidParameterValue, "Could not unzip uploaded file. \(error.message)")
        case .storageFull: self.init(.service, "The storage of this node is full. Tell its operator, then try again.")
        case .digestMismatch, .notFound, .storageFailed: self = .serviceFailure
        }
    }
}
