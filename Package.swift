// swift-tools-version: 6.2

import PackageDescription

/// Settings every Swift target shares (CONTRIBUTING.md, "Settings").
let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// Settings of the C that Swift code calls. The launcher itself is built by `Sandbox/Makefile`, which says why.
let cSettings: [CSetting] = [
    .define("_GNU_SOURCE"),
    .unsafeFlags(["-std=c17", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wswitch-enum"]),
]

extension Target.Dependency {
    static let argumentParser: Self = .product(name: "ArgumentParser", package: "swift-argument-parser")
    static let asyncHTTPClient: Self = .product(name: "AsyncHTTPClient", package: "async-http-client")
    static let certificates: Self = .product(name: "X509", package: "swift-certificates")
    static let configuration: Self = .product(name: "Configuration", package: "swift-configuration")
    static let hummingbird: Self = .product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore: Self = .product(name: "HummingbirdCore", package: "hummingbird")
    static let hummingbirdHTTP2: Self = .product(name: "HummingbirdHTTP2", package: "hummingbird")
    static let nioSSL: Self = .product(name: "NIOSSL", package: "swift-nio-ssl")
    static let serviceLifecycle: Self = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let yams: Self = .product(name: "Yams", package: "Yams")
    static let asn1: Self = .product(name: "SwiftASN1", package: "swift-asn1")
    static let deque: Self = .product(name: "DequeModule", package: "swift-collections")
    static let crypto: Self = .product(name: "Crypto", package: "swift-crypto")
    static let grdb: Self = .product(name: "GRDB", package: "GRDB.swift")
    static let httpTypes: Self = .product(name: "HTTPTypes", package: "swift-http-types")
    static let logging: Self = .product(name: "Logging", package: "swift-log")
    static let nioCore: Self = .product(name: "NIOCore", package: "swift-nio")
    static let nioEmbedded: Self = .product(name: "NIOEmbedded", package: "swift-nio")
    static let nioHPACK: Self = .product(name: "NIOHPACK", package: "swift-nio-http2")
    static let nioTLS: Self = .product(name: "NIOTLS", package: "swift-nio")
    static let nioHTTP2: Self = .product(name: "NIOHTTP2", package: "swift-nio-http2")
    static let nioHTTP1: Self = .product(name: "NIOHTTP1", package: "swift-nio")
    static let nioHTTPTypes: Self = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    static let nioHTTPTypesHTTP2: Self = .product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras")
    static let nioHTTPTypesHTTP1: Self = .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
    static let nioPosix: Self = .product(name: "NIOPosix", package: "swift-nio")
    static let unixSignals: Self = .product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let systemPackage: Self = .product(name: "SystemPackage", package: "swift-system")
}

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

let package = Package(
    name: "wayside",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // Level 0: vocabulary.
        library("EngineCore", [.nioCore]),

        // Level 1: pure decisions; programs that are executed; the wire to the launcher.
        library("Placement", ["EngineCore"]),

        library("Telemetry", ["EngineCore", .nioCore]),
        library("EgressProxy", ["EngineCore", .nioCore, .nioHTTP1, .nioPosix]),
        library("ChildProcesses", []),
        .target(name: "CSandboxProtocol", path: "Sandbox/Protocol", cSettings: cSettings),

        // Level 2: instances and containers; bundles.
        library(
            "Sandboxing",
            ["EngineCore", "ChildProcesses", "CSandboxProtocol", "EgressProxy", .logging, .nioCore, .nioHTTP1, .nioPosix, .systemPackage]),
        library("FunctionCatalog", ["EngineCore", .crypto, .grdb]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        library("ContentDistribution", ["EngineCore", "CArchive", .crypto, .systemPackage]),

        // Level 3: capacity; regions.
        library("CapacityPools", ["EngineCore", "ChildProcesses", "Placement", "Sandboxing", .deque, .logging]),
        library(
            "RegionForwarding",
            [
                "EngineCore", "Placement", .asn1, .certificates, .crypto, .httpTypes, .logging, .nioCore, .nioHPACK, .nioHTTP2, .nioPosix,
                .nioSSL, .nioTLS,
            ]),

        // Level 4: one invocation from arrival to answer.
        library(
            "InvocationRouting",
            ["EngineCore", "Placement", "Telemetry", "CapacityPools", "RegionForwarding", "Sandboxing", .logging, .nioCore]),

        library("Simulation", ["EngineCore", "Placement", "CapacityPools"]),

        // Level 6: the public API; the peers' API; the operator's API.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        library(
            "Frontend",
            [
                "EngineCore", "CZlib", "ContentDistribution", "FunctionCatalog", "RegionForwarding", "Telemetry", .crypto, .httpTypes,
                .hummingbird, .hummingbirdCore, .hummingbirdHTTP2, .logging, .nioCore, .nioHPACK, .nioHTTP1, .nioHTTP2, .nioHTTPTypes,
                .nioHTTPTypesHTTP1, .nioHTTPTypesHTTP2, .nioPosix, .nioSSL, .serviceLifecycle, .systemPackage,
            ]),

        // Level 7: configuration in, one service group out.
        library(
            "Engine",
            [
                "EngineCore", "CapacityPools", "ContentDistribution", "EgressProxy", "Frontend", "FunctionCatalog", "InvocationRouting",
                "Placement",
                "RegionForwarding", "Sandboxing", "Telemetry", .configuration, .hummingbird, .logging, .nioCore, .nioPosix, .nioSSL,
                .serviceLifecycle, .systemPackage, .unixSignals, .yams,
            ]),

        // Level 8: the program.
        library(
            "WaysideCommands",
            [
                "EngineCore", "ContentDistribution", "Engine", "Frontend", "FunctionCatalog", "RegionForwarding", "Simulation", "Telemetry",
                .argumentParser,
                .asyncHTTPClient, .crypto, .httpTypes, .logging, .nioCore, .nioHTTP1, .nioPosix, .systemPackage,
            ]),
        .executableTarget(name: "wayside", dependencies: ["Engine", "WaysideCommands", .argumentParser], swiftSettings: swiftSettings),
        .executableTarget(
            name: "wayside-bench", dependencies: ["Engine", .argumentParser, .hummingbird, .logging, .systemPackage],
            path: "Tests/Benchmarks/Server", swiftSettings: swiftSettings),
        .executableTarget(
            name: "wayside-pool-bench", dependencies: ["EngineCore", "CapacityPools", "Placement"], path: "Tests/Benchmarks/Pool",
            swiftSettings: swiftSettings),

        tests("WaysideCommandsTests", ["EngineCore", "Frontend", "WaysideCommands", .argumentParser]),
        tests("EngineCoreTests", ["EngineCore", .nioCore]),
        tests("EgressProxyTests", ["EngineCore", "EgressProxy", .nioCore, .nioHTTP1, .nioPosix]),
        tests("PlacementTests", ["EngineCore", "Placement"]),
        tests("SimulationTests", ["Placement", "Simulation"]),
        tests("TelemetryTests", ["EngineCore", "Telemetry", .nioCore]),
        tests("ContentDistributionTests", ["EngineCore", "ContentDistribution", .crypto, .systemPackage]),
        tests("SandboxingTests", ["EngineCore", "Sandboxing", .logging, .nioCore, .nioEmbedded, .nioPosix, .systemPackage]),
        tests("FunctionCatalogTests", ["EngineCore", "FunctionCatalog", .grdb]),
        tests("CapacityPoolsTests", ["EngineCore", "CapacityPools", "Placement"]),
        tests(
            "RegionForwardingTests",
            [
                "EngineCore", "Placement", "RegionForwarding", .httpTypes, .logging, .nioCore, .nioEmbedded, .nioHTTP2, .nioSSL,
            ]),
        tests(
            "FrontendTests",
            [
                "EngineCore", "ContentDistribution", "Frontend", "FunctionCatalog", "Placement", "RegionForwarding", "Telemetry",
                .asyncHTTPClient, .crypto, .httpTypes, .hummingbird, .hummingbirdCore, .logging, .nioCore, .nioHPACK, .nioHTTP1,
                .nioHTTP2, .nioPosix, .nioSSL, .serviceLifecycle, .systemPackage,
            ]),
        tests(
            "InvocationRoutingTests", ["EngineCore", "InvocationRouting", "Placement", "RegionForwarding", .nioCore]),
        tests("EngineTests", ["EngineCore", "Engine", "FunctionCatalog", .configuration, .systemPackage, .yams]),
        tests("TidyTests", []),
    ]
)
