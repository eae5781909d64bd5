import EngineCore
import FunctionCatalog

extension LambdaResponder {
    /// ListFunctions: of the caller's account in the region of the signature.
    func listFunctions(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let page = try Page(call.target, limits: limits)
            let versions = call.target.parameter("FunctionVersion")
            var validator = ConstraintValidator()
            validator.oneOf(versions, at: "functionVersion", ["ALL"])
            try validator.finish()
            let (entries, next) = try reading(nil) { (catalog) throws(CatalogError) in
                try catalog.list(
                    account: call.caller.account, region: call.caller.region, allVersions: versions != nil, after: page.marker,
                    limit: page.items)
            }
            return .json { json in
                json.member("Functions", each: entries) { entry, json in
                    let qualifier = versions == nil ? nil : entry.version.description
                    FunctionConfigurationAnswer(entry: entry, qualifier: qualifier, hasState: false).write(to: &json)
                }
                json.member("NextMarker", next)
            }
        }
    }

    /// ListVersionsByFunction: `$LATEST` first, then by number.
    func listVersionsByFunction(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        try await blocking.run { [self] () throws(LambdaError) in
            let key = try call.unqualifiedKey()
            let page = try Page(call.target, limits: limits)
            let (entries, next) = try reading(key) { (catalog) throws(CatalogError) in
                try catalog.versions(key, after: page.marker, limit: page.items)
            }
            return .json { json in
                json.member("Versions", each: entries) { entry, json in
                    FunctionConfigurationAnswer(entry: entry, qualifier: entry.version.description, hasState: false).write(to: &json)
                }
                json.member("NextMarker", next)
            }
        }
    }
}

/// Which part of a list is asked for.
struct Page {
    let marker: String?
    let items: Int

    /// - Parameter itemsMax: the most that the operation's model permits to ask for.
    init(_ target: RequestTarget, limits: LambdaLimits, itemsMax: Int = 10_000) throws(LambdaError) {
        let text = target.parameter("MaxItems")
        var items = limits.pageItems
        if let text {
            guard let number = Int(text) else {
                throw LambdaError(.serialization, "STRING_VALUE of 'MaxItems' can not be converted to an Integer")
            }
            var validator = ConstraintValidator()
            validator.value(number, at: "maxItems", in: 1...itemsMax)
            try validator.finish()
            items = min(items, number)
        }
        self.items = items
        marker = target.parameter("Marker").flatMap { $0.isEmpty ? nil : $0 }
    }
}
