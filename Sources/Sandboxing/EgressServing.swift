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

    /// What leads well-behaved clients there, of a function that lists nothing of loopback; an owner's own variables win.
    static let variables = variables(exceptions: "127.0.0.1,localhost")

    /// What leads well-behaved clients there; an owner's own variables win.
    ///
    /// A function that lists a loopback address, or localhost, means the node's, which only the proxy can reach: clients must not be told
    /// to leave the proxy out then. Its own Runtime API is an exception nevertheless, because the runtime may be such a client.
    ///
    /// - Parameter hasRuntimeAPI: whether the function finds a Runtime API on the container's 127.0.0.1.
    static func variables(for policy: EgressPolicy, hasRuntimeAPI: Bool) -> [String: String] {
        guard policy.listsLoopback else { return variables }
        // Without its port, which curl does not read there.
        return variables(exceptions: hasRuntimeAPI ? "127.0.0.1" : nil)
    }

    private static func variables(exceptions: String?) -> [String: String] {
        var variables: [String: String] = [:]
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] { variables[name] = "http://127.0.0.1:\(number)" }
        for name in ["NO_PROXY", "no_proxy"] { variables[name] = exceptions }
        return variables
    }
}
