import EngineCore
import Hummingbird
import NIOCore
import RegionForwarding
import ServiceLifecycle

/// From where on a peer wants reports.
struct ReportPlace: Hashable, Sendable {
    /// The last change it has, and the process that it had it from.
    var since: UInt64
    var epoch: String?

    /// What cannot be read is as if it were not there: then everything is told.
    init(query: String) {
        var values: [Substring: Substring] = [:]
        for parameter in query.split(separator: "&").prefix(8) {
            let parts = parameter.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
        since = values["since"].flatMap { UInt64($0) } ?? 0
        epoch = values["epoch"].map(String.init)
    }
}

extension PeerResponder {
    /// Tells a peer what changes here for as long as it listens.
    /// - Throws: `notFound` when this node has no reports; `overloaded` when it sends them to as many as it may.
    func reports(from place: ReportPlace, to peer: NodeCertificate, on stream: any Channel) throws -> Response {
        guard let feed = services.reports else {
            throw ForwardingError(.notFound, "Node \(services.node) has no reports.")
        }
        let subscription = try feed.subscribe(peer: peer.node)
        let interval = TimeAmount(feed.limits.heartbeat)
        let heartbeat = stream.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in subscription.signalNow() }
        // Not at the end of the body: one that nobody asks for has no end.
        stream.closeFuture.whenComplete { _ in
            heartbeat.cancel()
            feed.unsubscribe(subscription)
        }
        let lines = ReportLines(
            feed: feed, subscription: subscription, right: peer.forwarding, since: place.epoch == feed.epoch ? place.since : 0)
        return Response(
            status: .ok, headers: [.contentType: "application/json-lines"], body: ResponseBody(asyncSequence: lines))
    }
}

/// The lines for one reader. They end when the reader has gone, this node takes no new work, or its server shuts down.
struct ReportLines: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let feed: ReportFeed
    let subscription: ReportFeed.Subscription
    /// Rows of other accounts are left out.
    let right: ForwardingRight
    let since: UInt64

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let feed: ReportFeed
        fileprivate let subscription: ReportFeed.Subscription
        fileprivate var signals: AsyncCancelOnGracefulShutdownSequence<AsyncStream<Void>>.AsyncIterator
        fileprivate let right: ForwardingRight
        fileprivate var sequence: UInt64
        /// The last line; `nil` before the first.
        fileprivate var last: RegionReport?

        mutating func next() async throws -> ByteBuffer? {
            if let last {
                guard !last.draining else { return nil }
                if !last.more { try await Task.sleep(for: feed.limits.spacing) }
            }
            if last?.more != true {
                guard await signals.next(isolation: #isolation) != nil else { return nil }
            }
            let report = feed.report(since: sequence, to: subscription).limited(to: right)
            sequence = report.sequence
            last = report
            return try report.line()
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(
            feed: feed, subscription: subscription, signals: subscription.signals.cancelOnGracefulShutdown().makeAsyncIterator(),
            right: right, sequence: since)
    }
}
