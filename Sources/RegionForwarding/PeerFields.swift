public import HTTPTypes

/// The HTTP fields of requests between nodes.
public enum PeerFields {
    /// - Throws: `unsupportedProtocol` unless the fields name the protocol's version that this node speaks.
    public static func checkProtocol(_ fields: HTTPFields) throws(ForwardingError) {
        let version = fields[.waysideProtocol]
        guard version == ForwardWire.protocolVersion else {
            throw ForwardingError(
                .unsupportedProtocol,
                "The node that is asked speaks version \(ForwardWire.protocolVersion) of the peers' protocol, and not "
                    + "\(version ?? "an unnamed one"), as the one that asks. Update the older of the two.")
        }
    }

    /// - Throws: `invalidRequest` unless there is one value, of any length up to the limit but none.
    static func text(_ fields: HTTPFields, _ name: HTTPField.Name) throws(ForwardingError) -> String {
        let values = fields[values: name]
        guard values.count == 1, let value = values.first, !value.isEmpty else {
            throw ForwardingError(.invalidRequest, "The request has \(values.count) values of \(name); it must have one.")
        }
        guard value.utf8.count <= ForwardWire.fieldBytesMax else {
            throw ForwardingError(.invalidRequest, "The value of \(name) is longer than \(ForwardWire.fieldBytesMax) bytes.")
        }
        return value
    }

    static func parsed<Value>(
        _ fields: HTTPFields, _ name: HTTPField.Name, _ parse: (String) -> Value?
    ) throws(ForwardingError) -> Value {
        guard let value = parse(try text(fields, name)) else {
            throw ForwardingError(.invalidRequest, "The value of \(name) cannot be.")
        }
        return value
    }
}
