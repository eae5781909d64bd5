import EngineCore
import FunctionCatalog

/// The members `Idempotent`, `ServeStale` and `Latency` of the member `Wayside` of CreateFunction and UpdateFunctionConfiguration.
/// What is absent stays as it is.
struct PlacementSettingsRequest: Sendable {
    static let members = ["Idempotent", "ServeStale", "Latency"]

    private let isIdempotent: Bool?
    private let servesStale: Bool?
    private let latency: PlacementRule.Latency?

    /// - Parameter wayside: the member `Wayside`; `nil` if it is absent.
    /// - Throws: `InvalidParameterValueException` that names the member.
    init(_ wayside: RequestObject?) throws(LambdaError) {
        isIdempotent = try wayside?.boolean("Idempotent")
        servesStale = try wayside?.boolean("ServeStale")
        let text = try wayside?.string("Latency")
        latency = text.flatMap(PlacementRule.Latency.init)
        if let text, latency == nil {
            let known = PlacementRule.Latency.allCases.map(\.rawValue).joined(separator: ", ")
            throw LambdaError(.invalidParameterValue, "Latency of Wayside is '\(text.prefix(100))'. Give \(known).")
        }
    }

    func apply(to settings: inout FunctionSettings) {
        if let isIdempotent { settings.placement.isIdempotent = isIdempotent }
        if let servesStale { settings.placement.servesStale = servesStale }
        if let latency { settings.placement.latency = latency }
    }
}
