public import NIOHTTP2

/// What both ends of a connection between nodes permit its streams.
public enum PeerStreams {
    /// The protocol's guards against strangers end a connection, and all calls on it, after 200 streams that are reset in half a minute.
    /// Here both ends have proved who they are, and ten thousand clients may well hang up at once.
    public static var configuration: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.streamResetFrameRateLimit.maximumCount = resetsMax
        configuration.streamErrorRateLimit.maximumCount = resetsMax
        return configuration
    }

    /// In half a minute.
    private static let resetsMax = 1_000_000
}
