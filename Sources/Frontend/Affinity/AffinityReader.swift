import EngineCore
import HTTPTypes
import NIOCore

/// Finds out which container an invocation wants: from what its caller says, and its function's rule (STICK-02 to STICK-05).
///
/// The first that is there counts:
///
/// 1. the header `Wayside-Container`: the container that the token names. Should it not be had, the value found further down decides.
/// 2. the header `Wayside-Affinity`; for clients of AWS, which send no headers of their own, the member `wayside-affinity` of the client
///    context's `custom`, or of the client context itself. The value as it is, in no class.
/// 3. the owner's rule: a header (the first of its name), an item of the query (the first), a member of the event, or the account.
///    What is found is put into its class. Nothing there, an empty text, `null`, an object, an array, or more than
///    `AffinityDemand.valueBytesMax` bytes: the call is not sticky.
/// 4. nothing: the call is not sticky.
struct AffinityReader {
    let function: PinnedVersion
    let head: InvokeHead
    let call: LambdaCall
    /// The event, found to be JSON.
    let event: ByteBuffer
    let tokens: AffinityTokens?
    let epochSeconds: Double

    private static let contextPaths = [JSONPath(parts: ["custom", "wayside-affinity"]), JSONPath(parts: ["wayside-affinity"])]

    /// Whether there is anything to read. What most calls cost.
    static func isNeeded(_ function: PinnedVersion, _ head: InvokeHead) -> Bool {
        function.affinity != nil || head.affinity != nil || head.clientContext != nil
    }

    /// - Returns: `nil` if the call is not sticky.
    /// - Throws: `PreconditionFailedException` for a void token where the container is required.
    func demand() throws(LambdaError) -> AffinityDemand? {
        let rule = function.affinity
        let value = value()
        guard value != nil || head.affinity?.token != nil else { return nil }
        var demand = AffinityDemand(
            value: value?.text, source: value?.source ?? .token, mode: head.affinity?.mode ?? rule?.mode ?? .prefer,
            busy: head.affinity?.busy ?? rule?.busy ?? .wait)
        if let rule { demand.waitMax = .milliseconds(rule.waitMilliseconds) }
        guard let token = head.affinity?.token else { return demand }
        demand.source = .token
        if let named = tokens?.open(token, for: function, now: epochSeconds) {
            demand.container = named.container
            demand.node = named.node
            demand.generation = named.generation
        } else if demand.mode == .require {
            throw LambdaError(
                .preconditionFailed,
                "The token in Wayside-Container is forged, too old, or of another function. Call without it, or with "
                    + "Wayside-Affinity-Mode: prefer.")
        } else {
            demand.tokenIsVoid = true
        }
        return demand
    }

    private func value() -> (text: String, source: AffinityDemand.Source)? {
        if let literal = head.affinity?.value { return (literal, .literal) }
        if let literal = contextValue() { return (literal, .literal) }
        guard let rule = function.affinity else { return nil }
        guard let (found, source) = found(by: rule), (1...AffinityDemand.valueBytesMax).contains(found.utf8.count) else { return nil }
        return (rule.routingValue(of: found), source)
    }

    private func contextValue() -> String? {
        guard let context = head.clientContext else { return nil }
        let json = ByteBuffer(string: context)
        for path in Self.contextPaths {
            if let text = path.text(in: json, bytesMax: AffinityDemand.valueBytesMax) { return text }
        }
        return nil
    }

    private func found(by rule: AffinityRule) -> (String, AffinityDemand.Source)? {
        switch rule.source {
        case .header(let name): call.head.headerFields.first { $0.name.canonicalName == name }.map { ($0.value, .header) }
        case .query(let name): call.target.parameter(name).map { ($0, .query) }
        case .body(let path): JSONPath(path).text(in: event, bytesMax: AffinityDemand.valueBytesMax).map { ($0, .body) }
        case .account: (call.caller.account.description, .account)
        }
    }
}
