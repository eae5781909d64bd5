import Crypto
import EngineCore
import FunctionCatalog
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Answers the requests of the API, from head to last byte.
///
/// Signatures cover everything, so a request is taken in this order: route and claim from the head, then the body, then the
/// signature, then the operation. It is written by hand, because the general router's parameters, contexts and loggers are
/// made anew for each request, and one operation, Invoke, is nearly all of them.
final class LambdaResponder: Sendable {
    let configuration: LambdaServerConfiguration
    let services: LambdaServices
    let connections = ClientConnections()
    let codeLinks = CodeLinks()
    let blocking: BlockingWork
    /// Held from before a change to the catalog until after it, so that every version that is superseded is noticed once.
    let changes = Mutex(())
    /// The packages that are being deployed, which nothing refers to yet, and by how many requests. Bounded by the requests under way.
    let deploying = Mutex<[ContentDigest: Int]>([:])
    private let verifier: SignatureVerifier
    private let date = HTTPDate()
    private let codeRequests = Atomic<Int>(0)
    let logger: Logger

    var limits: LambdaLimits { configuration.limits }

    init(configuration: LambdaServerConfiguration, services: LambdaServices, logger: Logger) {
        self.configuration = configuration
        self.services = services
        self.logger = logger
        blocking = BlockingWork(pool: services.threadPool)
        let catalog = services.catalog
        verifier = SignatureVerifier(
            skewSeconds: configuration.clockSkewSeconds, regions: configuration.regions
        ) { (id) throws(LambdaError) in
            do throws(CatalogError) {
                return try catalog.accessKey(id).map { AccessKey(secret: $0.secret, account: $0.account) }
            } catch {
                throw LambdaError(error, nil)
            }
        }
    }

    /// - Throws: only what writing to the connection throws.
    @concurrent
    func respond(to request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel) async throws {
        let id = RequestID()
        let now = services.clock.epochSeconds()
        let reply: Reply
        var held = HeldBody(services.bodies)
        defer { held.release() }
        do {
            let target = RequestTarget(request.head.path ?? "/")
            if let link = codeLinks.link(request.method, target) {
                reply = .answer(try await download(link, now: now))
            } else {
                let route = LambdaRoute(request.method, target)
                let claim = try verifier.claim(of: request.head, now: Int64(now))
                if request.headers.contains(.expect) { try await writer.writeInformationalHead(HTTPResponse(status: .continue)) }
                reply = try await authenticated(request, route, target, claim, id, channel, &held)
            }
        } catch let error as LambdaError {
            warn(of: error, id, path: request.head.path ?? "")
            reply = .answer(LambdaAnswer(error))
        } catch let error as InvocationError {
            reply = .answer(LambdaAnswer(error))
        }
        switch reply {
        case .answer(var answer): try await writer.write(response: complete(&answer, id, now: now), body: answer.body)
        case .stream(let prepared): try await stream(prepared, on: channel, writer)
        }
    }

    private enum Reply {
        case answer(LambdaAnswer)
        /// Is answered while it runs.
        case stream(PreparedInvocation)
    }

    /// Adds what every answer has.
    func complete(_ answer: inout LambdaAnswer, _ id: RequestID, now: Double) -> HTTPResponse {
        answer.add(.requestID, id.description)
        answer.add(.date, date.text(at: Int64(now)))
        if answer.status != .noContent, let length = answer.body.contentLength { answer.add(.contentLength, String(length)) }
        return HTTPResponse(status: answer.status, headerFields: answer.fields)
    }

    // MARK: Invocations without a task

    /// What the head of an invocation says that is worth waiting for its body on the event loop.
    struct Candidate: Sendable {
        let resource: String
        let target: RequestTarget
        let claim: SignatureClaim
    }

    /// - Returns: `nil` unless the head is that of an invocation, claims a signature that may be good, and names a version that any of its
    ///   containers may serve. Nothing is kept of a stranger's body, and nothing verified twice, for what is `nil` here.
    func candidate(_ head: HTTPRequest) -> Candidate? {
        let target = RequestTarget(head.path ?? "/")
        guard services.begin != nil, let route = LambdaRoute(head.method, target), route.operation == .invoke else { return nil }
        do throws(LambdaError) {
            let claim = try verifier.claim(of: head, now: Int64(services.clock.epochSeconds()))
            let reference = try FunctionReference(route.resource, queryQualifier: target.parameter("Qualifier"))
            let key = try reference.key(account: claim.access.account, region: claim.scope.region, action: route.operation.action)
            // A call that wants a particular container may have to wait for it.
            guard try pinned(key, reference).affinity == nil else { return nil }
            return Candidate(resource: route.resource, target: target, claim: claim)
        } catch {
            return nil
        }
    }

    /// An invocation that is signed well and otherwise in order; `nil` for everything else, which is answered the other way.
    ///
    /// The version is looked up anew: between head and body a deployment may have been answered.
    func prepare(
        _ candidate: Candidate, _ head: HTTPRequest, _ body: ByteBuffer, _ channel: any Channel
    ) -> PreparedInvocation? {
        do throws(LambdaError) {
            let digest = body.withUnsafeReadableBytes { bytes in
                var hasher = SHA256()
                hasher.update(bufferPointer: bytes)
                return hasher.finalize()
            }
            let caller = try verifier.verify(candidate.claim, of: head, bodyDigest: digest)
            let prepared = try prepare(
                LambdaCall(
                    id: RequestID(), operation: .invoke, resource: candidate.resource, target: candidate.target, head: head,
                    caller: caller, body: body, arrival: services.clock.now(), channel: channel))
            return prepared.type == .requestResponse && prepared.request.affinity == nil ? prepared : nil
        } catch {
            return nil
        }
    }

    /// Head and body of the answer to a prepared invocation.
    func respond(
        _ result: Result<InvocationResult, InvocationError>, to prepared: PreparedInvocation
    ) -> (head: HTTPResponse, body: ByteBuffer) {
        var answer = answer(result, to: prepared)
        let head = complete(&answer, prepared.request.id, now: services.clock.epochSeconds())
        return (head, answer.content)
    }

    private func authenticated(
        _ request: Request, _ route: LambdaRoute?, _ target: RequestTarget, _ claim: SignatureClaim, _ id: RequestID,
        _ channel: any Channel, _ held: inout HeldBody
    ) async throws -> Reply {
        let body = try await receive(request, for: route?.operation, claimedBy: claim.access.account, channel, &held)
        let caller = try verifier.verify(claim, of: request.head, bodyDigest: body.digest)
        guard let route else { throw LambdaError.unknownOperation(request.method.rawValue, String(target.path)) }
        // Not before the signature is verified: nobody may hold a place with a request that is not theirs.
        let carriesCode = route.operation.carriesCode
        if carriesCode {
            guard codeRequests.add(1, ordering: .relaxed).newValue <= limits.codeRequests else {
                codeRequests.subtract(1, ordering: .relaxed)
                throw LambdaError.throttled(.callerRate)
            }
        }
        defer { if carriesCode { codeRequests.subtract(1, ordering: .relaxed) } }
        let call = LambdaCall(
            id: id, operation: route.operation, resource: route.resource, target: target, head: request.head, caller: caller,
            body: body.buffer, arrival: services.clock.now(), channel: channel)
        return call.operation == .invokeWithResponseStream ? .stream(try prepareStreamed(call)) : .answer(try await perform(call))
    }

    /// The body, in bounded memory and, unless it is small, in bounded time; who sends it is not known yet.
    private func receive(
        _ request: Request, for operation: LambdaOperation?, claimedBy account: AccountID, _ channel: any Channel,
        _ held: inout HeldBody
    ) async throws -> ReceivedBody {
        let limit =
            switch operation {
            case .invoke, .invokeWithResponseStream: limits.eventBytes.bytes
            case .createFunction, .updateFunctionCode: limits.codeRequestBytes.bytes
            default: limits.requestBytes.bytes
            }
        let announced = request.headers[.contentLength].flatMap { Int($0) }
        let small = limits.smallBodyBytes.bytes
        var timer: Scheduled<Void>?
        if announced.map({ $0 > small }) ?? true {
            timer = channel.eventLoop.scheduleTask(in: TimeAmount(limits.bodyReceipt)) { channel.close(promise: nil) }
        }
        defer { timer?.cancel() }
        do {
            return try await ReceivedBody(request.body, announced: announced, limit: limit) { (bytes) throws(InvocationError) in
                try held.grow(to: bytes, of: account)
            }
        } catch is ReceivedBody.TooLarge {
            throw LambdaError.requestTooLarge(bytes: limit, operation: operation?.nameInLimits ?? "requested")
        }
    }

    private func perform(_ call: LambdaCall) async throws(LambdaError) -> LambdaAnswer {
        switch call.operation {
        case .invoke: try await invoke(call)
        case .invokeWithResponseStream: preconditionFailure("It is answered while it runs, which is not done here.")
        case .createFunction: try await createFunction(call)
        case .deleteFunction: try await deleteFunction(call)
        case .deleteFunctionConcurrency: try await deleteFunctionConcurrency(call)
        case .deleteProvisionedConcurrencyConfig: try await deleteProvisionedConcurrencyConfig(call)
        case .getAccountSettings: try await getAccountSettings(call)
        case .getFunction: try await getFunction(call)
        case .getFunctionCodeSigningConfig: try await getFunctionCodeSigningConfig(call)
        case .getFunctionConcurrency: try await getFunctionConcurrency(call)
        case .getFunctionConfiguration: try await getFunctionConfiguration(call)
        case .getProvisionedConcurrencyConfig: try await getProvisionedConcurrencyConfig(call)
        case .listFunctions: try await listFunctions(call)
        case .listProvisionedConcurrencyConfigs: try await listProvisionedConcurrencyConfigs(call)
        case .listTags: try await listTags(call)
        case .listVersionsByFunction: try await listVersionsByFunction(call)
        case .publishVersion: try await publishVersion(call)
        case .putFunctionConcurrency: try await putFunctionConcurrency(call)
        case .putProvisionedConcurrencyConfig: try await putProvisionedConcurrencyConfig(call)
        case .updateFunctionCode: try await updateFunctionCode(call)
        case .updateFunctionConfiguration: try await updateFunctionConfiguration(call)
        }
    }

    private func warn(of error: LambdaError, _ id: RequestID, path: String) {
        guard error.code.row.status >= 500 else { return }
        logger.warning(
            "Answered an error of the engine",
            metadata: ["request": "\(id)", "path": "\(path.prefix(200))", "error": "\(error.code.rawValue): \(error.message)"])
    }
}
