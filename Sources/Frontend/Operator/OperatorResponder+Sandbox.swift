import EngineCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// What the operator asks about sandboxes. Both start containers of the function, so both may take as long as it does.
extension OperatorResponder {
    /// Events that one request may have the function run on.
    static let eventsMax = 32
    /// Bytes of the request that carries them.
    static let eventBytesMax = 6 << 20

    func explainSandbox(_ target: RequestTarget) async throws(OperatorFailure) -> SandboxAnswer {
        let (sandbox, version) = try function(target)
        do throws(InvocationError) {
            return SandboxAnswer(version, report: try await sandbox.explain(version))
        } catch {
            throw OperatorFailure(error)
        }
    }

    func learnSandbox(_ target: RequestTarget, _ body: RequestBody) async throws(OperatorFailure) -> LearnedProfile {
        let (sandbox, version) = try function(target)
        let bytes: ByteBuffer
        do {
            bytes = try await body.collect(upTo: Self.eventBytesMax)
        } catch is NIOTooManyBytesError {
            throw OperatorFailure(.contentTooLarge, "body_too_large", "The events have more than \(Self.eventBytesMax) bytes. Send fewer.")
        } catch {
            throw OperatorFailure(.badRequest, "body_cut_off", "The events did not arrive whole: \(error). Send them again.")
        }
        let events = try Self.events(bytes)
        do throws(InvocationError) { return try await sandbox.learn(version, events) } catch { throw OperatorFailure(error) }
    }

    /// The events of `{"events":[…]}`, each a JSON text of its own. An empty body, like an absent member, is one event `{}`.
    static func events(_ body: ByteBuffer) throws(OperatorFailure) -> [ByteBuffer] {
        func invalid(_ message: String) -> OperatorFailure {
            OperatorFailure(.badRequest, "invalid_events", "\(message) Send {\"events\":[…]} with 1 to \(eventsMax) events.")
        }
        let none = [ByteBuffer(string: "{}")]
        guard body.readableBytes > 0 else { return none }
        let value: JSONValue
        do throws(JSONFault) { value = try JSONValue(parsing: body) } catch { throw invalid("The body is not JSON: \(error).") }
        guard case .object(let members) = value, members.keys.allSatisfy({ $0 == "events" }) else {
            throw invalid("The body is not an object whose one member is 'events'.")
        }
        switch members["events"] {
        case nil: return none
        case .array(let events) where (1...eventsMax).contains(events.count): return events.map(\.json)
        case .array(let events): throw invalid("There are \(events.count) events.")
        default: throw invalid("'events' is not a list.")
        }
    }

    /// The one version that the parameters `function`, `account` and `qualifier` name.
    private func function(_ target: RequestTarget) throws(OperatorFailure) -> (SandboxServices, PinnedVersion) {
        guard let sandbox = services.sandbox else {
            throw OperatorFailure(.serviceUnavailable, "no_sandboxes", "This node starts no sandboxes for its operator.")
        }
        let (key, named) = try function(
            named: target.parameter("function") ?? "", qualifier: target.parameter("qualifier"), account: try account(target),
            in: sandbox.catalog)
        return (sandbox, try pinned(key, named ?? .latest, in: sandbox.catalog))
    }
}
