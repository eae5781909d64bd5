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
                account: try PeerFields.parsed(fields, .waysideAccount) { AccountID($0) },
                region: try PeerFields.text(fields, .waysideFunctionRegion),
                name: try PeerFields.text(fields, .waysideFunctionName)),
            version: try PeerFields.parsed(fields, .waysideVersion) { FunctionVersion($0) },
            revision: try PeerFields.text(fields, .waysideRevision))
    }
}
