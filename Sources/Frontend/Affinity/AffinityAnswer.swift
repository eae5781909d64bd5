import EngineCore
import HTTPTypes

/// What the caller of a sticky call is told, in the answer's headers.
///
/// `Wayside-Affinity-Result`, of a call that was run:
///
/// | the value's container, or the token's | mode `prefer` | mode `require` |
/// | --- | --- | --- |
/// | idle, or idle in time under `wait` | `hit` | `hit` |
/// | not known yet: the value's first call | `new` | `new` |
/// | busy under `overflow`, or longer than may be waited | `moved`, `Wayside-Affinity-Overflow: true`; the mapping stays | 429 |
/// | busy under `reject` | 429 | 429 |
/// | has less memory than the function has now | `moved`: the value has a new one, the old one ends | 412 |
/// | gone: crashed, killed, evicted, or of the code before an update | `gone`: the value has a new one | 412, once; then `new` |
/// | ended after its keep-alive | `new` | `new` |
/// | a token that is forged, too old, or of another account, function or version | `new`, `Wayside-Affinity-Token: void` | 412 |
/// | a token whose container is gone | `gone`, `Wayside-Affinity-Token: void` | 412 |
///
/// 429 is `TooManyRequestsException` with `Retry-After` and `Wayside-Error: rejected_by_policy`: another try may do. 412 is
/// `PreconditionFailedException`, with `Wayside-Error: affinity` unless the token was void at once: another try fails, too. A
/// container too small for the function is thus never used, silently or otherwise (STICK-12). A void token with a value beside it: as
/// if only the value had come.
///
/// `Wayside-Container`, of every sticky call that was run: a token that names the container it ran in, good for an hour unless configured
/// otherwise. The token of a call that went to a region names a container there, and leads there again; it is void while the region is out
/// of reach.
extension LambdaResponder {
    func addAffinity(_ record: InvocationRecord, to answer: inout LambdaAnswer, function: PinnedVersion) {
        if let affinity = (record.capacity ?? record.remote?.capacity)?.affinity {
            answer.add(.waysideAffinityResult, affinity.result.rawValue)
            if affinity.isOverflow { answer.add(.waysideAffinityOverflow, "true") }
            if affinity.tokenIsVoid { answer.add(.waysideAffinityToken, "void") }
        }
        if let token = services.affinityTokens?.token(of: record, function: function, now: services.clock.epochSeconds()) {
            answer.add(.waysideContainer, token)
        }
    }
}
