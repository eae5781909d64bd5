public import EngineCore
import Foundation
public import RegionForwarding

/// `GET /v1/regions`: what this node knows of the regions it may forward to, in the order of the configuration.
public struct RegionsAnswer: Sendable, Codable {
    public var regions: [RegionAnswer]

    init(_ directory: RegionDirectory?, now: EngineInstant) {
        regions = directory?.states(now: now).map { RegionAnswer($0) } ?? []
    }
}

/// What this node knows of one region. Times are milliseconds.
public struct RegionAnswer: Sendable, Codable {
    public var name: String
    public var url: String
    public var circuit: RegionState.Circuit
    public var saturated: Bool
    public var draining: Bool
    /// Why it was out of reach last; `nil`: it never was.
    public var failure: Failure?
    /// The share of its capacity in use; `nil`: it has not said.
    public var load: Double?
    public var roundTrip: Double?
    /// Calls of this node under way there.
    public var underWay: Int
    /// Since it told of itself; `nil`: never.
    public var reportAge: Double?
    /// Whether what it tells of versions counts.
    public var isReportFresh: Bool
    /// Versions it has told of, and those of them that it holds.
    public var versions: Int
    public var held: Int
    /// The certificate that the region showed last; `nil`: none.
    public var certificate: Certificate?

    public struct Failure: Sendable, Codable {
        public var reason: String
        /// Since it was found.
        public var age: Double
    }

    public struct Certificate: Sendable, Codable {
        /// Hexadecimal, as openssl(1) prints it.
        public var serial: String
        /// Seconds since 1970.
        public var validUntil: Double
    }

    init(_ state: RegionState) {
        name = state.peer.name
        url = state.peer.url
        circuit = state.circuit
        saturated = state.isSaturated
        draining = state.isDraining
        failure = state.failure.map { Failure(reason: $0.reason, age: $0.age.inMilliseconds) }
        load = state.load
        roundTrip = state.roundTrip?.inMilliseconds
        underWay = state.callCount
        reportAge = state.reportAge?.inMilliseconds
        isReportFresh = state.isReportFresh
        versions = state.versionCount
        held = state.heldCount
        certificate = state.certificate.map { Certificate(serial: $0.serial, validUntil: $0.validUntil.timeIntervalSince1970) }
    }
}

/// `GET /v1/regions/NAME`: one region and the versions it has told of, the last changed first.
public struct RegionDetailAnswer: Sendable, Codable {
    public var region: RegionAnswer
    public var versions: [RegionVersionAnswer]
}

/// What a region has told of one version. Times are milliseconds.
public struct RegionVersionAnswer: Sendable, Codable {
    public var function: String
    public var version: FunctionVersion
    public var revision: String
    public var held: Bool
    public var calls: UInt64
    /// Since its last call there.
    public var lastReceived: Double?
    public var idle: Int
    public var coldStart: Double?
    public var run: Double?

    init(_ state: RegionVersionState) {
        function = state.function
        version = state.version
        revision = state.revision
        held = state.isHeld
        calls = state.calls
        lastReceived = state.lastReceived?.inMilliseconds
        idle = state.idleContainers
        coldStart = state.coldStart?.inMilliseconds
        run = state.run?.inMilliseconds
    }
}
