public import EngineCore
import Foundation
public import NIOCore

/// What a region tells of itself in one line (see ``ForwardWire``).
public struct RegionReport: Hashable, Sendable, Codable {
    /// The latest state of one version of a function there.
    public struct Row: Hashable, Sendable, Codable {
        /// The change that made it so.
        public var sequence: UInt64
        public var revision: String
        /// ARN without version.
        public var function: String
        public var version: FunctionVersion
        /// The version and its package are there.
        public var held: Bool
        /// Received since the process began.
        public var calls: UInt64
        /// How long ago the last of them came, in milliseconds.
        public var lastReceived: Double?
        /// Idle containers.
        public var idle: Int
        /// Milliseconds, measured there, from nothing to the function's first code; `nil`: it has not started cold.
        public var coldStart: Double?
        /// Milliseconds in the handler; `nil`: it has not run.
        public var run: Double?
    }

    public var node: String
    /// New at every start of the process; sequences count from its beginning.
    public var epoch: String
    /// The last change this line covers.
    public var sequence: UInt64
    /// Changes after that follow in the next line.
    public var more: Bool
    /// The share of its capacity in use, 0 to 1.
    public var load: Double
    /// It would refuse a call that needs a container.
    public var saturated: Bool
    public var draining: Bool
    /// Those that changed first come first.
    public var rows: [Row]

    static let revisionBytesMax = 128
    static let functionBytesMax = 256

    /// What a node with this right may know: without the rows of other accounts' functions. O(rows).
    public func limited(to right: ForwardingRight) -> RegionReport {
        guard right != .all else { return self }
        var limited = self
        limited.rows.removeAll { row in
            let parts = row.function.split(separator: ":")
            let account = parts.count > 4 ? AccountID(String(parts[4])) : nil
            return !(account.map { right.permits($0) } ?? false)
        }
        return limited
    }

    /// With its line end.
    /// - Throws: `invalidAnswer` when a number is none that JSON can say.
    public func line() throws(ForwardingError) -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        do {
            var line = ByteBuffer(bytes: try encoder.encode(self))
            line.writeInteger(UInt8(ascii: "\n"))
            return line
        } catch {
            throw ForwardingError(.invalidAnswer, "The report of this node cannot be written: \(error).")
        }
    }

    /// - Parameter line: without its end.
    /// - Throws: `invalidAnswer` when it is no report, is not of `node`, or has more or larger parts than it may.
    public init(line: ByteBuffer, of node: String) throws(ForwardingError) {
        do {
            self = try JSONDecoder().decode(RegionReport.self, from: Data(line.readableBytesView))
        } catch {
            throw ForwardingError(.invalidAnswer, "A line of reports of region \(node) cannot be read: \(error).")
        }
        guard self.node == node else {
            throw ForwardingError(.invalidAnswer, "The reports of region \(node) are of node \(self.node).")
        }
        let isWithinLimits =
            epoch.utf8.count <= Self.revisionBytesMax && rows.count <= ForwardWire.reportRowsMax
            && rows.allSatisfy {
                $0.revision.utf8.count <= Self.revisionBytesMax && $0.function.utf8.count <= Self.functionBytesMax && $0.idle >= 0
                    && [$0.lastReceived, $0.coldStart, $0.run].allSatisfy { $0.map { (0...Self.millisecondsMax).contains($0) } ?? true }
            }
        guard isWithinLimits, load.isFinite else {
            throw ForwardingError(.invalidAnswer, "A line of reports of region \(node) has parts beyond their limits.")
        }
    }

    /// About thirty years; longer times are errors.
    static let millisecondsMax = 1e12

    init(
        node: String, epoch: String, sequence: UInt64, more: Bool, load: Double, saturated: Bool, draining: Bool, rows: [Row]
    ) {
        self.node = node
        self.epoch = epoch
        self.sequence = sequence
        self.more = more
        self.load = load
        self.saturated = saturated
        self.draining = draining
        self.rows = rows
    }
}
