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
    static let deque: Self = .product(name: "DequeModule", package: "swift-collections")
    static let crypto: Self = .product(name: "Crypto", package: "swift-crypto")
    static let httpTypes: Self = .product(name: "HTTPTypes", package: "swift-http-types")
    static let nioCore: Self = .product(name: "NIOCore", package: "swift-nio")
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
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    ],
    targets: [
        // Level 0: vocabulary.
        library("EngineCore", [.nioCore]),

        // Level 1: pure decisions; the wire to the launcher.
        library("Placement", ["EngineCore"]),

        library("Telemetry", ["EngineCore", .nioCore]),
        .target(name: "CSandboxProtocol", path: "Sandbox/Protocol", cSettings: cSettings),

        // Level 2: instances and containers; bundles.
        library("Sandboxing", ["EngineCore", "CSandboxProtocol", .systemPackage]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        library("ContentDistribution", ["EngineCore", "CArchive", .crypto, .systemPackage]),

        // Level 3: capacity.
        library("CapacityPools", ["EngineCore", .deque]),

        // Level 6: the public API.
        library("Frontend", ["EngineCore", .crypto, .httpTypes]),

        tests("EngineCoreTests", ["EngineCore", .nioCore]),
        tests("PlacementTests", ["EngineCore", "Placement"]),
        tests("TelemetryTests", ["EngineCore", "Telemetry", .nioCore]),
        tests("ContentDistributionTests", ["EngineCore", "ContentDistribution", .crypto, .systemPackage]),
        tests("SandboxingTests", ["EngineCore", "Sandboxing", .systemPackage]),
        tests("CapacityPoolsTests", ["EngineCore", "CapacityPools"]),
        tests("FrontendTests", ["EngineCore", "Frontend", .crypto, .httpTypes]),
        tests("TidyTests", []),
    ]
)
