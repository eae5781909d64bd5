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

    /// Streams that go wrong while a connection lives, each of which would else be held against all.
    public static let glitchesMax = 1_000_000

    /// Whether an error is a single stream's, which has been reset for it; its connection goes on.
    public static func isOfOneStream(_ error: any Error) -> Bool {
        switch error {
        case is NIOHTTP2Errors.StreamError, is NIOHTTP2Errors.BadStreamStateTransition, is NIOHTTP2Errors.ContentLengthViolated,
            is NIOHTTP2Errors.ContentLengthHeadersMismatch, is NIOHTTP2Errors.ContentLengthHeaderNegative,
            is NIOHTTP2Errors.ContentLengthHeaderMalformedValue, is NIOHTTP2Errors.MissingPseudoHeader,
            is NIOHTTP2Errors.DuplicatePseudoHeader, is NIOHTTP2Errors.PseudoHeaderAfterRegularHeader,
            is NIOHTTP2Errors.UnknownPseudoHeader, is NIOHTTP2Errors.InvalidPseudoHeaders, is NIOHTTP2Errors.EmptyPathHeader,
            is NIOHTTP2Errors.InvalidStatusValue, is NIOHTTP2Errors.TrailersWithoutEndStream,
            is NIOHTTP2Errors.InvalidHTTP2HeaderFieldName, is NIOHTTP2Errors.InvalidHTTP2HeaderFieldValue,
            is NIOHTTP2Errors.ForbiddenHeaderField, is NIOHTTP2Errors.InvalidPseudoHeaderValue:
            true
        default: false
        }
    }

    /// In half a minute.
    private static let resetsMax = 1_000_000
}
