import NIOCore

/// The members of a request's body, by name and type. `null` counts as absent, as AWS takes it.
struct RequestObject {
    private let members: [String: JSONValue]

    /// - Throws: `SerializationException` for what is no JSON object. An empty body is an empty object.
    init(_ body: ByteBuffer) throws(LambdaError) {
        guard body.readableBytes > 0 else {
            members = [:]
            return
        }
        let value: JSONValue
        do throws(JSONFault) {
            value = try JSONValue(parsing: body)
        } catch {
            throw LambdaError(.serialization, "Could not parse request body into json: \(error)")
        }
        guard case .object(let members) = value else {
            throw LambdaError(.serialization, "Could not parse request body into json: expected an object")
        }
        self.members = members
    }

    private init(members: [String: JSONValue]) { self.members = members }

    subscript(_ name: String) -> JSONValue? {
        if case .null = members[name] { return nil }
        return members[name]
    }

    /// In the order of the alphabet, so that of several faults always the same one is named.
    var names: [String] { members.keys.sorted() }

    /// Whether the member is there and says `null`, for members where that is not the same as absent.
    func isNull(_ name: String) -> Bool { members[name] == .null }

    func string(_ name: String) throws(LambdaError) -> String? {
        try member(name, "a String", \.text)
    }

    func integer(_ name: String) throws(LambdaError) -> Int? {
        try member(name, "an Integer", \.integer)
    }

    func boolean(_ name: String) throws(LambdaError) -> Bool? {
        try member(name, "a Boolean") { value in
            guard case .bool(let truth) = value else { return nil }
            return truth
        }
    }

    func object(_ name: String) throws(LambdaError) -> RequestObject? {
        try member(name, "a structure") { value in
            guard case .object(let members) = value else { return nil }
            return RequestObject(members: members)
        }
    }

    func strings(_ name: String) throws(LambdaError) -> [String]? {
        try member(name, "a list of Strings") { value in
            guard case .array(let elements) = value else { return nil }
            let texts = elements.compactMap(\.text)
            return texts.count == elements.count ? texts : nil
        }
    }

    /// A map of texts.
    func map(_ name: String) throws(LambdaError) -> [String: String]? {
        try member(name, "a map of Strings") { value in
            guard case .object(let members) = value else { return nil }
            let texts = members.compactMapValues(\.text)
            return texts.count == members.count ? texts : nil
        }
    }

    /// A text of base64, without making a `String` of it.
    func bytes(_ name: String) throws(LambdaError) -> [UInt8]? {
        try member(name, "a Blob of base64") { value in
            guard case .string(let raw) = value else { return nil }
            // Some encoders write `\/` for `/`.
            guard raw.readableBytesView.contains(UInt8(ascii: "\\")) else { return Base64.decode(raw) }
            return Base64.decode(ByteBuffer(string: JSONEscape.resolved(raw)))
        }
    }

    private func member<Value>(
        _ name: String, _ type: String, _ convert: (JSONValue) -> Value?
    ) throws(LambdaError) -> Value? {
        guard let value = self[name] else { return nil }
        guard let converted = convert(value) else {
            throw LambdaError(.serialization, "\(value.kind)_VALUE of '\(name)' can not be converted to \(type)")
        }
        return converted
    }
}

extension JSONValue {
    /// As AWS's parser calls it.
    fileprivate var kind: String {
        switch self {
        case .null: "NULL"
        case .bool: "BOOLEAN"
        case .number: "NUMBER"
        case .string: "STRING"
        case .array: "LIST"
        case .object: "OBJECT"
        }
    }
}
