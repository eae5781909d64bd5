public import EngineCore
public import NIOCore

/// Who serves the one way out of containers whose function has an allow-list.
public protocol EgressServing: Sendable {
    /// Serves a listening socket in a container's network namespace until the session is closed.
    ///
    /// - Parameter listener: taken over, also when the future fails; the container is then ended.
    func serve(
        listener: CInt, for version: PinnedVersion, container: UInt64, on eventLoop: any EventLoop
    ) -> EventLoopFuture<any EgressSession>
}

/// One container's listener, being served.
public protocol EgressSession: AnyObject, Sendable {
    /// Ends the listener and every connection through it. From any thread.
    func end()
}

/// Where functions find their proxy.
enum EgressPort {
    /// The port on the container's own loopback.
    static let number: UInt16 = 3128

    /// What leads well-behaved clients there; an owner's own variables win.
    static let variables: [String: String] = {
        let proxy = "http://127.0.0.1:\(number)"
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"]
        let exceptions = ["NO_PROXY", "no_proxy"].map { ($0, "127.0.0.1,localhost") }
        return Dictionary(uniqueKeysWithValues: names.map { ($0, proxy) } + exceptions)
    }()
}
