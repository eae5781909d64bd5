public import HTTPTypes

/// What one node says to another: version 2 of the protocol between peers.
///
/// HTTP/2 over TLS 1.3, both sides with certificates of the fleet's private authority. The path carries the version, and so
/// does the field `wayside-protocol` of every request; a node that does not speak it answers 400 `unsupported_protocol`, as every
/// version does, before it looks at anything else, and whoever is answered so takes it for out of reach until it answers its health. The
/// field `wayside-origin` is the sender's node name, which must be the one in its certificate.
///
/// ```
/// POST /wayside/v2/invocations          run one invocation; body: a section (below) `call`, then the payload, unchanged, to the end
///
/// HEAD /wayside/v2/bundles/<digest>     200 when the package is held, 404 when not
/// GET  /wayside/v2/bundles/<digest>     the package, to a node that names a version held here that has it by the fields
///                                       wayside-account, -function-region, -function-name, -version and -revision; 404 else
/// PUT  /wayside/v2/bundles/<digest>     body: the package (zip); taken only if that is its SHA-256; 204
/// PUT  /wayside/v2/versions             body: JSON of a PinnedVersion whose package is held; 204
/// DELETE /wayside/v2/versions           the version named by those fields need not be held any longer: 204, and 200 when it is kept,
///                                       for a call of it came within the last wayside-quiet-ms
/// GET  /wayside/v2/health               JSON of a NodeHealth
/// GET  /wayside/v2/reports?since=N&epoch=E
///                                       lines of JSON, each a RegionReport and ended by \n, for as long as the reader stays
/// ```
///
/// The first line of reports comes at once, a further one when something has changed, at most every 50 ms, and one every second
/// anyway. `sequence` numbers the changes of one process, which `epoch` names; a line holds the rows that changed after the reader's
/// `since`, those that changed first first, at most 128 of them and at most 64 KiB; `more` says that the next line follows at once. A
/// row is the latest state of one version, so what changed twice is told once. Without `epoch`, or with another process's, all rows
/// are told. Times are told as milliseconds ago, so that no two clocks need agree. A node that takes no new work says `draining` in a
/// last line. Two streams are open to one peer at most, a third ends the oldest; a node without reports answers 404 `not_found`.
///
/// ```
/// {"node":"region-1","epoch":"9f0c…","sequence":42,"more":false,"load":0.25,"saturated":false,"draining":false,
///  "rows":[{"sequence":42,"revision":"0b8a…","function":"arn:aws:lambda:…:function:hello","version":"7","held":true,
///           "calls":3,"lastReceived":120.5,"idle":1,"coldStart":310.2,"run":12.1}]}
/// ```
///
/// The answer to an invocation is 200 with the field `wayside-node` and a body of sections, since fields are bounded and
/// logs are not small:
///
/// ```
/// section = kind (1 byte) · length (4 bytes, big-endian) · that many bytes
///   1  payload   the function's result or error object; several are one after the other
///   2  log       the log of the invocation; several are one after the other
///   3  end       document (``DocumentWriter``): outcome (success | function_error), logDropped, and the record; last, exactly once
///   4  head      JSON: site, startLevel, contentType; first, and only where the function streams: payloads follow as they are made
///   5  error     the error object of a function that failed while it streamed
///   6  failure   JSON {"code", "message"}, as other answers have it; last, and instead of the end
///   7  call      document; only at the beginning of a request:
///                  requestID         lower-case UUID, the same at every node
///                  account           12 digits
///                  functionRegion    of the function's ARN
///                  functionName
///                  version           $LATEST or a number
///                  revision          of the pinned version
///                  invokedARN        as the caller wrote it
///                  remaining         milliseconds left of the call's budget, measured when this was sent
///                  hops              1 for the first node after the one the client called
///                  reason            why the sender forwards: a DecisionReason
///                  traceID
///                  clientContext     JSON; absent if the caller sent none
///                  affinity          JSON of an AffinityDemand; absent if any container will do
///                  deferral          milliseconds by which it may begin later; absent if it should begin at once
///                  decision          document: what the sender decided with (ForwardOrigin+Document.swift)
///                  stream            bytes of result that may be streamed, 0 for any number; absent if it is wanted whole
///
/// whole      payload · log · end
/// streamed   head · payload … · [error] · log · end           head · payload … · failure: the call was lost midway
/// refused    failure                                          (only where a stream was wanted; else by the status)
/// ```
///
/// A body without its last section was cut off. Who wants a stream is answered 200 at once, before it is known how the call goes, and
/// must be ready for each of the three. A sender that reads no further stops the function by HTTP/2's flow control; one that resets
/// the HTTP stream ends it. The record is the region's own: it says what ran, where, how it started and how long its parts took.
///
/// Every other answer is an error: a status for people and JSON `{"code", "message"}` for programs, of an `InvocationError`
/// or a ``ForwardingError``. The code decides. A peer that answers `version_not_held` is sent the package, unless it has it,
/// and the version, and then the invocation again.
public enum ForwardWire {
    public static let protocolVersion = "2"
    private static let root = "/wayside/v\(protocolVersion)"
    public static let invocationsPath = root + "/invocations"
    public static let bundlesPath = root + "/bundles"
    public static let versionsPath = root + "/versions"
    public static let healthPath = root + "/health"
    public static let reportsPath = root + "/reports"

    /// The largest payload, of a request or an answer.
    public static let payloadBytesMax = 6_291_556
    /// The largest log; of a longer one the last part is sent and the rest counted as dropped.
    public static let logBytesMax = 256 << 10
    /// The largest end section, error answer, health, version or line of reports.
    public static let documentBytesMax = 64 << 10
    /// The rows of one line of reports. A row is smaller than half a kilobyte.
    public static let reportRowsMax = 128
    /// The largest answer to an invocation, with room for the heads of its sections.
    public static let answerBytesMax = payloadBytesMax + logBytesMax + documentBytesMax + (1 << 10)
    /// The largest budget a node believes: a day.
    public static let remainingMillisecondsMax = 86_400_000
    /// The largest value of any other field of a request or a call, and the largest client context: what the API takes.
    static let fieldBytesMax = 512
    static let clientContextBytesMax = 6 << 10
    /// A routing value of 256 bytes, each written as six in JSON, and the rest of a demand.
    static let affinityBytesMax = 3 << 10
    /// The largest call section: all its fields at their longest fit.
    public static let callBytesMax = 32 << 10
    static let deferralMillisecondsMax = 900_000
}

extension HTTPField.Name {
    public static let waysideProtocol = known("wayside-protocol")
    public static let waysideNode = known("wayside-node")
    public static let waysideOrigin = known("wayside-origin")
    static let waysideAccount = known("wayside-account")
    static let waysideFunctionRegion = known("wayside-function-region")
    static let waysideFunctionName = known("wayside-function-name")
    static let waysideVersion = known("wayside-version")
    static let waysideRevision = known("wayside-revision")
    public static let waysideQuiet = known("wayside-quiet-ms")

    /// A name spelled in this file.
    private static func known(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is not a legal field name.") }
        return name
    }
}
