import HummingbirdCore
public import Logging
public import NIOCore
public import ServiceLifecycle

/// Serves the operator's API on a Unix socket that only its owner may open.
///
/// | request | answer |
/// | --- | --- |
/// | `GET /v1/records/REQUEST` | `{"record":{…},"droppedLogBytes":0}` |
/// | `GET /v1/records?function=NAME&account=ID&limit=20` | `{"records":[…]}`, newest first; the function by name or ARN |
/// | `GET /v1/logs/REQUEST` | the log as text |
/// | `GET /v1/status` | what the engine says |
/// | `GET /v1/pools` | a ``PoolsReport`` |
/// | `PUT /v1/pools/SUB-POOL`, body `{"floor":1,"ceiling":9}` or `{"memoryMebibytes":512}` | a ``SubPoolAnswer`` |
/// | `POST /v1/pools/SUB-POOL/drain`, `…/resume` | a ``SubPoolAnswer`` |
/// | `POST /v1/pools/fixed/NAME/lend`, body `{"mebibytes":256,"seconds":600}` | a ``SubPoolAnswer`` |
/// | `POST /v1/reserve`, body `{"function":"NAME","version":"3","account":"ID","count":2}` | a ``SubPoolAnswer`` |
/// | `GET /v1/instances?account=ID`, `GET /v1/instances/NUMBER` | an ``InstancesAnswer``, an ``InstanceReport`` |
/// | `DELETE /v1/instances/NUMBER`, `DELETE /v1/containers/NUMBER` | a ``KillAnswer`` |
/// | `PUT /v1/containers/NUMBER/pin`, `DELETE …` | the ``ContainerReport`` as it is then |
/// | `GET /v1/sticky?account=ID&function=NAME&limit=1000` | a ``StickyAnswer`` |
/// | `DELETE /v1/sticky/ROW` | the ``StickyRow`` that is no more |
/// | `GET /v1/why-cold?function=NAME&account=ID` | a ``ColdStartsAnswer`` |
/// | `GET /v1/regions` | a ``RegionsAnswer`` |
/// | `GET /v1/regions/NAME?limit=100` | a ``RegionDetailAnswer`` |
/// | `GET /v1/sandbox?function=NAME&account=ID&qualifier=VERSION` | a ``SandboxAnswer`` |
/// | `POST /v1/sandbox/learn?function=…`, body `{"events":[…]}` | a `LearnedProfile` |
///
/// Errors are `{"error":CODE,"message":TEXT}`. A sub-pool is written as ``SubPoolID`` writes it, its slashes dividing the path.
public final class OperatorServer: Service {
    private let socketPath: String
    private let responder: OperatorResponder
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let onRunning: @Sendable () async -> Void

    /// - Parameters:
    ///   - socketPath: where the socket is made; what is there is replaced. It gets the permissions 0600.
    ///   - onRunning: called once, when the socket accepts.
    public init(
        socketPath: String, services: OperatorServices, eventLoopGroup: any EventLoopGroup, logger: Logger,
        onRunning: @escaping @Sendable () async -> Void = {}
    ) {
        self.socketPath = socketPath
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.onRunning = onRunning
        responder = OperatorResponder(services: services)
    }

    /// Serves until graceful shutdown or until the task is cancelled.
    /// - Throws: when the socket cannot be made.
    public func run() async throws {
        let responder = responder
        let onRunning = onRunning
        let socket = try OwnersSocket(path: socketPath)
        defer { socket.clear() }
        let server = try HTTPServerBuilder.http1().buildServer(
            configuration: ServerConfiguration(address: .unixDomainSocket(path: socket.bindingPath), backlog: 16),
            eventLoopGroup: eventLoopGroup, logger: logger,
            responder: { (request, writer: consuming ResponseWriter, _) in
                let answer = await responder.answer(request)
                try await writer.write(response: answer.head, body: answer.body)
            },
            onServerRunning: { channel in
                guard socket.publish() else { return channel.close(promise: nil) }
                socket.clear()
                await onRunning()
            })
        try await server.run()
        try socket.finish()
    }
}
