public import EngineCore
import Foundation
public import NIOCore

/// A forwarded invocation without its payload: the section that the request begins with (see ``ForwardWire``).
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

    // MARK: - As a document

    /// The fields of the document that a request begins with.
    private enum Tag: UInt8, DocumentTag {
        case requestID = 1
        case account, functionRegion, functionName, version, revision
        case invokedARN, remaining, hops, reason, traceID, clientContext
        case affinity, deferral, decision, stream
    }

    /// The longest trace identifier; what the API takes from its clients.
    static let traceIDBytesMax = 1 << 10

    /// The request's first section: the call without its payload, which follows.
    public func opening() -> ByteBuffer {
        var document = DocumentWriter<Tag>(capacity: 1 << 10)
        document.add(.requestID, id.description)
        document.add(.account, function.account.description)
        document.add(.functionRegion, function.region)
        document.add(.functionName, function.name)
        document.add(.version, version.description)
        document.add(.revision, revision)
        document.add(.invokedARN, invokedARN)
        document.add(.remaining, remainingMilliseconds)
        document.add(.hops, hops)
        document.add(.reason, reason.rawValue)
        document.add(.traceID, traceID)
        document.add(.clientContext, clientContext)
        document.add(.affinity, affinity.flatMap(Self.encoded))
        document.add(.deferral, deferralMilliseconds)
        document.add(.decision, decision?.document)
        document.add(.stream, streamBytesMax)
        var opening = ForwardedSection.head(.call, document.buffer)
        opening.writeImmutableBuffer(document.buffer)
        return opening
    }

    /// - Parameters:
    ///   - body: the request's; what remains of it is the payload.
    ///   - origin: the node that sends it.
    /// - Throws: `invalidRequest` naming the field that is missing, repeated, over-long or cannot be.
    public init(opening body: inout ByteBuffer, from origin: String) throws(ForwardingError) {
        guard body.readInteger(as: UInt8.self) == ForwardedSection.call.rawValue, let count = body.readInteger(as: UInt32.self),
            count <= ForwardWire.callBytesMax, let content = body.readSlice(length: Int(count))
        else { throw ForwardingError(.invalidRequest, "The request does not begin with a call.") }
        let document = try DocumentReader<Tag>(content, .init(code: .invalidRequest, subject: "The request"))
        let function = FunctionKey(
            account: try document.required(.account) { AccountID($0) }, region: try document.required(.functionRegion, Self.filled),
            name: try document.required(.functionName, Self.filled))
        let reason = try document.required(.reason) { DecisionReason(rawValue: $0) }
        self.init(
            id: try document.required(.requestID) { RequestID($0) }, function: function,
            version: try document.required(.version) { FunctionVersion($0) }, revision: try document.required(.revision, Self.filled),
            invokedARN: try document.required(.invokedARN, Self.filled),
            remainingMilliseconds: try document.required(
                .remaining, try document.number(.remaining, in: Int.min...ForwardWire.remainingMillisecondsMax)),
            hops: try document.required(.hops, try document.number(.hops, in: 1...Int.max)), origin: origin, reason: reason,
            traceID: try document.required(.traceID, bytesMax: Self.traceIDBytesMax, Self.filled),
            clientContext: try document.text(.clientContext, bytesMax: ForwardWire.clientContextBytesMax),
            affinity: try document.optional(.affinity, bytesMax: ForwardWire.affinityBytesMax) { Self.demand($0) },
            deferralMilliseconds: try document.number(.deferral, in: 1...ForwardWire.deferralMillisecondsMax),
            decision: Self.decision(document, reason),
            streamBytesMax: try document.number(.stream, in: 0...Int.max))
    }

    /// What cannot be read, as that of a newer node, explains nothing: no call fails for want of an explanation.
    private static func decision(_ document: DocumentReader<Tag>, _ reason: DecisionReason) -> ForwardOrigin? {
        do throws(ForwardingError) {
            guard let decision = try document.document(.decision, as: ForwardOrigin.Tag.self) else { return nil }
            return try ForwardOrigin(decision, reason: reason)
        } catch {
            return nil
        }
    }

    private static func filled(_ text: String) -> String? { text.isEmpty ? nil : text }

    private static func encoded(_ demand: AffinityDemand) -> String? {
        do { return String(decoding: try JSONEncoder().encode(demand), as: UTF8.self) } catch {
            preconditionFailure("Texts and whole numbers can be written as JSON: \(error)")
        }
    }

    private static func demand(_ text: String) -> AffinityDemand? {
        guard let demand = try? JSONDecoder().decode(AffinityDemand.self, from: Data(text.utf8)),
            demand.value.map({ (1...AffinityDemand.valueBytesMax).contains($0.utf8.count) }) ?? true,
            demand.node.map({ NodeName.isValid($0) }) ?? true,
            (.zero ... .milliseconds(AffinityRule.waitMillisecondsMax)).contains(demand.waitMax)
        else { return nil }
        return demand
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
