import EngineCore
import FunctionCatalog
import HTTPTypes

/// Provisioned concurrency: containers of a published version that are initialised before they are called.
extension LambdaResponder {
    /// PutProvisionedConcurrencyConfig: 202, because the containers start after the answer.
    func putProvisionedConcurrencyConfig(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let count = try RequestObject(call.body).integer("ProvisionedConcurrentExecutions")
            guard let count else { throw .missing("provisionedConcurrentExecutions") }
            var validator = ConstraintValidator()
            validator.value(count, at: "provisionedConcurrentExecutions", in: 1...Int.max)
            try validator.finish()
            let (key, version) = try publishedVersion(call)
            let config = try reading(key, qualifier: version.description) { (catalog) throws(CatalogError) in
                try catalog.setProvisionedConcurrency(count, of: key, version)
            }
            // What was ready before may be so again in a moment, but nothing is known yet of what has just been asked for.
            return .json(.accepted) { Self.write(config, .inProgress, to: &$0) }
        }
    }

    /// GetProvisionedConcurrencyConfig.
    func getProvisionedConcurrencyConfig(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let (key, version) = try publishedVersion(call)
            let config = try reading(key, qualifier: version.description) { (catalog) throws(CatalogError) in
                try catalog.provisionedConcurrency(of: key, version)
            }
            guard let config else { throw .provisionedConcurrencyConfigNotFound }
            let status = services.provisionedStatus(key, version)
            return .json { Self.write(config, status, to: &$0) }
        }
    }

    /// DeleteProvisionedConcurrencyConfig, also when there is none.
    func deleteProvisionedConcurrencyConfig(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let (key, version) = try publishedVersion(call)
            try reading(key, qualifier: version.description) { (catalog) throws(CatalogError) in
                try catalog.deleteProvisionedConcurrency(of: key, version)
            }
            return .noContent
        }
    }

    /// ListProvisionedConcurrencyConfigs: of the versions of a function.
    func listProvisionedConcurrencyConfigs(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let key = try call.unqualifiedKey()
            let page = try Page(call.target, limits: limits, itemsMax: 50)
            let (entries, next) = try reading(key) { (catalog) throws(CatalogError) in
                try catalog.provisionedConcurrency(of: key, after: page.marker, limit: page.items)
            }
            return .json { json in
                json.member("ProvisionedConcurrencyConfigs", each: entries) { config, json in
                    json.member("FunctionArn", key.arn(qualifier: config.version.description))
                    Self.write(config, services.provisionedStatus(key, config.version), to: &json)
                }
                json.member("NextMarker", next)
            }
        }
    }

    /// The version that the qualifier names.
    /// - Throws: `ResourceNotFoundException` for an alias: there are none. Of `$LATEST` the catalog says that it cannot be.
    private func publishedVersion(_ call: LambdaCall) throws(LambdaError) -> (FunctionKey, FunctionVersion) {
        let reference = try call.reference()
        let key = try call.key(reference)
        guard let qualifier = reference.qualifier else { throw .missing("qualifier") }
        guard let version = FunctionVersion(qualifier) else { throw .aliasNotFound(key, qualifier) }
        return (key, version)
    }

    private static func write(_ config: ProvisionedConcurrency, _ status: ProvisionedStatus, to json: inout JSONWriter) {
        json.member("RequestedProvisionedConcurrentExecutions", config.count)
        json.member("AvailableProvisionedConcurrentExecutions", status.available)
        json.member("AllocatedProvisionedConcurrentExecutions", status.allocated)
        json.member("Status", status.state.rawValue)
        json.member("StatusReason", status.reason)
        json.member("LastModified", time(config.lastModified))
    }

    /// `2026-01-02T03:04:05+0000`: other than those of functions, these have no milliseconds.
    private static func time(_ epochSeconds: Double) -> String {
        let time = CivilTime(epochSeconds: Int64(epochSeconds))
        return "\(time.date.text())T\(time.timeOfDay())+0000"
    }
}
