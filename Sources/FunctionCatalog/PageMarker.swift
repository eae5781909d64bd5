import Foundation

/// Where a page of a list ended: opaque to clients, without state here.
enum PageMarker: Equatable {
    /// After this version of this function, in a list of functions.
    case function(name: String, number: Int)
    /// After this version, in a list of one function's versions.
    case version(number: Int)

    private static let bytesMax = 512

    /// Base64 of the position.
    var text: String {
        let position =
            switch self {
            case .function(let name, let number): "f/\(number)/\(name)"
            case .version(let number): "v/\(number)"
            }
        return Data(position.utf8).base64EncodedString()
    }

    init(_ text: String) throws(CatalogError) {
        let invalid = CatalogError(
            .markerInvalid,
            "The marker is not one this list answered. Begin without a marker, or send NextMarker as it was answered.")
        guard text.utf8.count <= Self.bytesMax, let data = Data(base64Encoded: text),
            let position = String(data: data, encoding: .utf8)
        else { throw invalid }
        let parts = position.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, let number = Int(parts[1]), number >= 0 else { throw invalid }
        switch (parts[0], parts.count) {
        case ("f", 3) where !parts[2].isEmpty: self = .function(name: String(parts[2]), number: number)
        case ("v", 2): self = .version(number: number)
        default: throw invalid
        }
    }

    static let otherList = CatalogError(.markerInvalid, "The marker is of another list. Begin this list without a marker.")
}
