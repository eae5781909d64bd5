/// How far a forwarded call had come when its region refused it or was lost (PLACE-16).
public enum ForwardStage: String, Sendable, Codable, CaseIterable {
    /// It had not been sent: the region was out of reach.
    case beforeSend = "before_send"
    /// It surely had not begun: the region said so, or was lost while it was given the code.
    case beforeStart = "before_start"
    /// It had been sent and nothing of an answer had come: it may have run.
    case afterSend = "after_send"
    /// A part of the answer had come: it has run.
    case midResult = "mid_result"
    /// Another region answered first, so this one was told to stop.
    case overtaken
}

/// One attempt at a call that did not bring it to its end. Part of the call's record.
public struct InvocationTry: Hashable, Sendable, Codable {
    /// How many of one call are kept; the first ones and the last.
    public static let countMax = 16
    /// Bytes of a message that are kept; it may be another node's.
    public static let messageBytesMax = 256

    /// The node that was to run it.
    public var node: String
    public var stage: ForwardStage
    /// Why it did not.
    public var code: InvocationError.Code
    public var message: String
    /// Milliseconds from the call's arrival to the attempt, and what the attempt took.
    public var began: Double
    public var took: Double

    /// - Parameter message: longer than `messageBytesMax`, it is cut at a character.
    public init(node: String, stage: ForwardStage, code: InvocationError.Code, message: String, began: Double, took: Double) {
        self.node = node
        self.stage = stage
        self.code = code
        var kept = Substring(message)
        while kept.utf8.count > Self.messageBytesMax {
            kept = kept.prefix(max(0, kept.count - (kept.utf8.count - Self.messageBytesMax + 3) / 4))
        }
        self.message = String(kept)
        self.began = began
        self.took = took
    }

    /// An attempt that ended with `error`.
    public init(at node: String, _ error: InvocationError, began: Double, took: Double) {
        self.init(
            node: node, stage: error.stage ?? (error.surelyNotStarted ? .beforeStart : .afterSend), code: error.code,
            message: error.message, began: began, took: took)
    }
}

extension InvocationRecord {
    /// Adds an attempt, in the order of their ends. O(1).
    public mutating func note(_ attempt: InvocationTry) {
        var tries = tries ?? []
        if tries.count >= InvocationTry.countMax { tries.removeLast() }
        tries.append(attempt)
        self.tries = tries
    }
}
