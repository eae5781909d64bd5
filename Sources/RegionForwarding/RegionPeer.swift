import Foundation

/// One region a node may forward to.
public struct RegionPeer: Hashable, Sendable {
    /// Its node name, which its certificate must bear.
    public var name: String
    /// `https://host:port` of its peers' server.
    public var url: String

    public init(name: String, url: String) {
        self.name = name
        self.url = url
    }

    /// Where its server is.
    /// - Throws: `invalidName` when name or URL is not one.
    func address() throws(ForwardingError) -> (host: String, port: Int) {
        try NodeName.check(name)
        guard let parts = URLComponents(string: url), parts.scheme == "https", let host = parts.host, !host.isEmpty,
            let port = parts.port, ["", "/"].contains(parts.path)
        else { throw ForwardingError(.invalidName, "\(url) is no address of a region: write https://host:port.") }
        return (host.trimmingCharacters(in: ["[", "]"]), port)
    }
}
