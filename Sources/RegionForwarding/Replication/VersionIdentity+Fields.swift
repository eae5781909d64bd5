import EngineCore
public import HTTPTypes

extension VersionIdentity {
    /// The fields of a request that name a version (see ``ForwardWire``).
    var fields: HTTPFields {
        var fields = HTTPFields()
        fields[.waysideAccount] = function.account.description
        fields[.waysideFunctionRegion] = function.region
        fields[.waysideFunctionName] = function.name
        fields[.waysideVersion] = version.description
        fields[.waysideRevision] = revision
        return fields
    }

    /// - Throws: `invalidRequest` naming the field that is missing, repeated, over-long or cannot be.
    public init(fields: HTTPFields) throws(ForwardingError) {
        self.init(
            function: FunctionKey(
                account: try ForwardedInvocation.parsed(fields, .waysideAccount) { AccountID($0) },
                region: try ForwardedInvocation.text(fields, .waysideFunctionRegion),
                name: try ForwardedInvocation.text(fields, .waysideFunctionName)),
            version: try ForwardedInvocation.parsed(fields, .waysideVersion) { FunctionVersion($0) },
            revision: try ForwardedInvocation.text(fields, .waysideRevision))
    }
}
