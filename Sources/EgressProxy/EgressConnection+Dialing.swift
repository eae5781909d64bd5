internal import EngineCore
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// From what the function asks for to a connection: may it, where does it lead, may it there, is it really there.
extension EgressConnection {
    func dial(_ head: HTTPRequestHead) {
        record.method = head.method.rawValue
        let request: EgressRequest
        do {
            request = try EgressRequest(head)
        } catch {
            return refuse(.malformed, error.reason)
        }
        self.request = request
        requestHead = head
        record.target = request.target
        state = .dialing
        // Nothing more is read until there is somewhere to put it.
        setValve(.client, open: false)
        setTimer(limits.connectTime) { self.refuse(.connectTimeout) }
        switch request.host {
        case .address(let address):
            guard permits(address) else { return refuse(.deniedTarget, request.target) }
            connect([address], of: 1)
        case .name(let name):
            guard server.policy.permits(name: name, port: request.port) else { return refuse(.deniedTarget, request.target) }
            server.resolve(name, for: self).assumeIsolated().whenComplete { result in
                guard self.state == .dialing else { return }
                switch result {
                case .success(let addresses) where !addresses.isEmpty: self.choose(addresses, port: request.port)
                case .success, .failure: self.refuse(.unresolvable)
                }
            }
        }
    }

    private func choose(_ addresses: [IPAddress], port: Int) {
        let permitted = addresses.filter { permits($0) }
        guard !permitted.isEmpty else { return refuse(.deniedAddress, explain(addresses[0], port: port)) }
        connect(Array(permitted.prefix(limits.addressesMax)), of: min(permitted.count, limits.addressesMax))
    }

    /// - Parameter isConnectedHere: whether a connection to the address has turned out to have this machine at both ends.
    private func permits(_ address: IPAddress, isConnectedHere: Bool = false) -> Bool {
        guard let request, !server.isOwn(address, port: request.port) else { return false }
        let isOwnHost = isConnectedHere || HostAddresses.shared.contains(address)
        return server.policy.permits(address: address, port: request.port, isNamed: request.isNamed, isOwnHost: isOwnHost)
    }

    private func explain(_ address: IPAddress, port: Int) -> String {
        "\(address), \(EgressPolicy.specialPurpose(of: address) ?? "this machine itself"). "
            + "This entry would permit it: \(address.authority):\(port)"
    }

    /// Tries the addresses in turn, until the time for connecting is over.
    private func connect(_ addresses: [IPAddress], of count: Int) {
        guard let request, let address = addresses.first else { return refuse(.unreachable, "none of \(count) addresses answered") }
        let socketAddress: SocketAddress
        do {
            socketAddress = try address.socketAddress(port: request.port)
        } catch {
            return connect(Array(addresses.dropFirst()), of: count)
        }
        // Each has its share of the time, so that one that swallows everything does not hide the others.
        let share = TimeAmount(limits.connectTime / addresses.count)
        let isTunnel = request.kind == .tunnel
        ClientBootstrap(group: client.eventLoop)
            .connectTimeout(share)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_rcvbuf), value: limits.receiveBufferBytes.bytes)
            .channelOption(.allowRemoteHalfClosure, value: isTunnel)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.prepare(channel, isTunnel: isTunnel) }
            }
            .connect(to: socketAddress).assumeIsolated().whenComplete { result in
                guard self.state == .dialing else {
                    if case .success(let channel) = result { channel.close(promise: nil) }
                    return
                }
                switch result {
                case .success(let channel): self.connected(channel, address, port: request.port)
                case .failure: self.connect(Array(addresses.dropFirst()), of: count)
                }
            }
    }

    /// The handlers are there before the connection is: nothing that the target says first is lost.
    private func prepare(_ channel: any Channel, isTunnel: Bool) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(EgressMeter(self))
        try addValve(to: pipeline, for: .target)
        guard !isTunnel else {
            return try pipeline.addHandler(EgressEndHandler<ByteBuffer>(.target, of: self) { self.forward($0, to: .client) })
        }
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderListSize = limits.headerBytesMax.bytes
        decoderLimits.maxHeaderFieldSize = limits.headerBytesMax.bytes
        var encoding = HTTPRequestEncoder.Configuration()
        encoding.automaticallySetFramingHeaders = false
        try pipeline.addHandlers([
            HTTPRequestEncoder(configuration: encoding),
            ByteToMessageHandler(
                HTTPResponseDecoder(
                    leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .forward, limitConfiguration: decoderLimits)),
            EgressEndHandler<HTTPClientResponsePart>(.target, of: self) { self.relay($0) },
        ])
    }

    /// Checks what is connected, rather than what was meant to be, and begins.
    private func connected(_ channel: any Channel, _ address: IPAddress, port: Int) {
        let remote = IPAddress(channel.remoteAddress)
        let isConnectedHere = IPAddress(channel.localAddress) == remote
        guard remote == address, channel.remoteAddress?.port == port, permits(address, isConnectedHere: isConnectedHere) else {
            channel.close(promise: nil)
            return refuse(request?.isNamed == true ? .deniedAddress : .deniedTarget, explain(address, port: port))
        }
        target = channel
        record.address = "\(address.authority):\(port)"
        record.verdict = .relayed
        state = .relaying
        watchIdleness()
        if request?.kind == .tunnel { openTunnel() } else { beginExchange() }
    }
}

extension EgressRequest {
    var isNamed: Bool {
        if case .name = host { true } else { false }
    }
}
