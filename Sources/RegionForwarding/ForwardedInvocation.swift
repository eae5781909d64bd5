public import EngineCore
import Foundation
public import HTTPTypes
public import NIOCore

/// A forwarded invocation without its payload: the fields of the request (see ``ForwardWire``).
public struct ForwardedInvocation: Hashable, Sendable {
    public var id: RequestID
    public var function: FunctionKey
    public var version: FunctionVersion
    public var revision: String
    public var invokedARN: String
    /// What is left of the call's budget, in milliseconds, when it was sent.
    public var remainingMilliseconds: Int
    /// At least 1.
    public var hops: Int
    /// The node that forwards.
    public var origin: String
    public var reason: DecisionReason
    public var traceID: String
    /// JSON text.
    public var clientContext: String?
    /// The container the call wants.
    public var affinity: AffinityDemand?
    /// What is left of the time by which it may begin later, in milliseconds, when it was sent.
    public var deferralMilliseconds: Int?
    /// What the origin decided with.
    public var decision: ForwardOrigin?
    /// The result is wanted while it is made, up to so many bytes, or 0 for any number; `nil`: it is wanted whole.
    public var streamBytesMax: Int?

    public init(
        id: RequestID, function: FunctionKey, version: FunctionVersion, revision: String, invokedARN: String,
        remainingMilliseconds: Int, hops: Int, origin: String, reason: DecisionReason, traceID: String, clientContext: String?,
        affinity: AffinityDemand? = nil, deferralMilliseconds: Int? = nil, decision: ForwardOrigin? = nil, streamBytesMax: Int? = nil
    ) {
        self.id = id
        self.function = function
        self.version = version
        self.revision = revision
        self.invokedARN = invokedARN
        self.remainingMilliseconds = remainingMilliseconds
        self.hops = hops
        self.origin = origin
        self.reason = reason
        self.traceID = traceID
        self.clientContext = clientContext
        self.affinity = affinity
        self.deferralMilliseconds = deferralMilliseconds
        self.decision = decision
        self.streamBytesMax = streamBytesMax
    }

    /// `request` as the node `origin` forwards it at `now`, one hop further than it came.
    public init(
        _ request: InvocationRequest, reason: DecisionReason, decision: ForwardOrigin? = nil, origin: String, now: EngineInstant
    ) {
        let hops =
            switch request.origin {
            case .client: 1
            case .peer(_, let hops): hops + 1
            }
        let deferral = request.deferral.map { Int(($0 - (now - request.arrival)).wholeNanoseconds / 1_000_000) }
        self.init(
            id: request.id, function: request.function.key, version: request.function.version, revision: request.function.revision,
            invokedARN: request.invokedARN, remainingMilliseconds: Int((request.deadline - now).wholeNanoseconds / 1_000_000),
            hops: hops, origin: origin, reason: reason, traceID: request.traceID, clientContext: request.clientContext,
            affinity: request.affinity, deferralMilliseconds: deferral.flatMap { $0 > 0 ? $0 : nil },
            decision: decision, streamBytesMax: request.results.map { $0.bytesMax ?? 0 })
    }

    // MARK: - Fields

    /// The longest trace identifier; what the API takes from its clients.
    static let traceIDBytesMax = 1 << 10

    public var fields: HTTPFields {
        var fields = HTTPFields()
        fields[.waysideProtocol] = ForwardWire.protocolVersion
        fields.append(Self.once(.waysideRequestID, id.description))
        fields[.waysideAccount] = function.account.description
        fields[.waysideFunctionRegion] = function.region
        fields[.waysideFunctionName] = function.name
        fields[.waysideVersion] = version.description
        fields[.waysideRevision] = revision
        fields[.waysideInvokedARN] = invokedARN
        fields.append(Self.once(.waysideRemaining, String(remainingMilliseconds)))
        fields[.waysideHops] = String(hops)
        fields[.waysideOrigin] = origin
        fields[.waysideReason] = reason.rawValue
        fields.append(Self.once(.waysideTraceID, traceID))
        fields[.waysideClientContext] = clientContext.map { Data($0.utf8).base64EncodedString() }
        fields[.waysideAffinity] = affinity.flatMap(Self.encoded)
        fields[.waysideDeferral] = deferralMilliseconds.map { String($0) }
        if let decision { fields.append(Self.once(.waysideDecision, decision.fieldValue)) }
        fields[.waysideStream] = streamBytesMax.map { String($0) }
        return fields
    }

    /// A field whose value no other call has.
    private static func once(_ name: HTTPField.Name, _ value: String) -> HTTPField {
        var field = HTTPField(name: name, value: value)
        field.indexingStrategy = .avoid
        return field
    }

    /// - Throws: `unsupportedProtocol`; `invalidRequest` naming the field that is missing, repeated, over-long or cannot be.
    public init(fields: HTTPFields) throws(ForwardingError) {
        try Self.checkProtocol(fields)
        let function = FunctionKey(
            account: try Self.parsed(fields, .waysideAccount) { AccountID($0) },
            region: try Self.text(fields, .waysideFunctionRegion), name: try Self.text(fields, .waysideFunctionName))
        self.init(
            id: try Self.parsed(fields, .waysideRequestID) { RequestID($0) }, function: function,
            version: try Self.parsed(fields, .waysideVersion) { FunctionVersion($0) },
            revision: try Self.text(fields, .waysideRevision), invokedARN: try Self.text(fields, .waysideInvokedARN),
            remainingMilliseconds: try Self.parsed(fields, .waysideRemaining) { text in
                Int(text).flatMap { $0 <= ForwardWire.remainingMillisecondsMax ? $0 : nil }
            },
            hops: try Self.parsed(fields, .waysideHops) { text in Int(text).flatMap { $0 >= 1 ? $0 : nil } },
            origin: try Self.parsed(fields, .waysideOrigin) { NodeName.isValid($0) ? $0 : nil },
            reason: try Self.parsed(fields, .waysideReason) { DecisionReason(rawValue: $0) },
            traceID: try Self.text(fields, .waysideTraceID, bytesMax: Self.traceIDBytesMax), clientContext: try Self.clientContext(fields),
            affinity: try Self.optional(fields, .waysideAffinity, bytesMax: ForwardWire.affinityBytesMax) { Self.demand($0) },
            deferralMilliseconds: try Self.optional(fields, .waysideDeferral) { text in
                Int(text).flatMap { (1...ForwardWire.deferralMillisecondsMax).contains($0) ? $0 : nil }
            },
            streamBytesMax: try Self.optional(fields, .waysideStream) { text in Int(text).flatMap { $0 >= 0 ? $0 : nil } })
        decision = fields[.waysideDecision].flatMap { ForwardOrigin(fieldValue: $0, reason: reason) }
    }

    /// - Throws: `unsupportedProtocol` unless the fields name the protocol's version 1.
    public static func checkProtocol(_ fields: HTTPFields) throws(ForwardingError) {
        let version = fields[.waysideProtocol]
        guard version == ForwardWire.protocolVersion else {
            throw ForwardingError(
                .unsupportedProtocol,
                "This node speaks version \(ForwardWire.protocolVersion) of the protocol, not \(version ?? "none"). Update the older node."
            )
        }
    }

    private static func clientContext(_ fields: HTTPFields) throws(ForwardingError) -> String? {
        try optional(fields, .waysideClientContext, bytesMax: ForwardWire.clientContextBytesMax) { text in
            Data(base64Encoded: text).flatMap { String(bytes: $0, encoding: .utf8) }
        }
    }

    private static func encoded(_ demand: AffinityDemand) -> String? {
        do { return try JSONEncoder().encode(demand).base64EncodedString() } catch {
            preconditionFailure("Texts and whole numbers can be written as JSON: \(error)")
        }
    }

    private static func demand(_ text: String) -> AffinityDemand? {
        guard let data = Data(base64Encoded: text), let demand = try? JSONDecoder().decode(AffinityDemand.self, from: data),
            demand.value.map({ (1...AffinityDemand.valueBytesMax).contains($0.utf8.count) }) ?? true,
            demand.node.map({ NodeName.isValid($0) }) ?? true,
            (.zero ... .milliseconds(AffinityRule.waitMillisecondsMax)).contains(demand.waitMax)
        else { return nil }
        return demand
    }

    static func text(
        _ fields: HTTPFields, _ name: HTTPField.Name, bytesMax: Int = ForwardWire.fieldBytesMax
    ) throws(ForwardingError) -> String {
        let values = fields[values: name]
        guard values.count == 1, let value = values.first, !value.isEmpty else {
            throw ForwardingError(.invalidRequest, "The request has \(values.count) values of \(name); it must have one.")
        }
        guard value.utf8.count <= bytesMax else {
            throw ForwardingError(.invalidRequest, "The value of \(name) is longer than \(bytesMax) bytes.")
        }
        return value
    }

    private static func optional<Value>(
        _ fields: HTTPFields, _ name: HTTPField.Name, bytesMax: Int = ForwardWire.fieldBytesMax, _ parse: (String) -> Value?
    ) throws(ForwardingError) -> Value? {
        guard fields[name] != nil else { return nil }
        return try parsed(fields, name, bytesMax: bytesMax, parse)
    }

    static func parsed<Value>(
        _ fields: HTTPFields, _ name: HTTPField.Name, bytesMax: Int = ForwardWire.fieldBytesMax, _ parse: (String) -> Value?
    ) throws(ForwardingError) -> Value {
        guard let value = parse(try text(fields, name, bytesMax: bytesMax)) else {
            throw ForwardingError(.invalidRequest, "The value of \(name) cannot be.")
        }
        return value
    }

    // MARK: - At the node that runs it

    /// - Parameter hopsMax: the hops a call may have made when it arrives.
    /// - Throws: `hopLimit`; `deadlineExceeded` when nothing of the budget is left.
    public func admit(hopsMax: Int) throws(InvocationError) {
        guard hops <= hopsMax else {
            throw InvocationError(
                .hopLimit,
                "The call would make \(hops) hops; \(hopsMax) are permitted. Look for nodes that name each other as regions.")
        }
        guard remainingMilliseconds > 0 else {
            throw InvocationError(.deadlineExceeded, "Nothing was left of the call's time when it reached the region.")
        }
    }

    /// The invocation at the node it arrived at.
    /// - Parameter arrival: when the fields had arrived; the budget counts from then.
    public func request(of function: PinnedVersion, payload: ByteBuffer, arrival: EngineInstant) -> InvocationRequest {
        InvocationRequest(
            id: id, function: function, invokedARN: invokedARN, payload: payload, clientContext: clientContext, traceID: traceID,
            arrival: arrival, deadline: arrival + .milliseconds(remainingMilliseconds), origin: .peer(node: origin, hops: hops),
            affinity: affinity, deferral: deferralMilliseconds.map { .milliseconds($0) }, forwarded: decision,
            results: streamBytesMax.map { ResultStream(bytesMax: $0 == 0 ? nil : $0) })
    }
}
