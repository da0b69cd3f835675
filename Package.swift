// swift-tools-version: 6.2

import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]
let cSettings: [CSetting] = [.treatAllWarnings(as: .error)]

let package = Package(
    name: "sandglass",
    products: [
        .executable(name: "sandglass", targets: ["sandglass"]),
        // For other Swift programs: start a `Runner`, `run(command, timeout:)`, get an `Outcome`.
        .library(name: "SandglassRunner", targets: ["Runs", "Execution"]),
    ],
    dependencies: [
        // The command line: parsing, --help, error texts.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // Heap for the reactor's deadlines, Deque for the queue of waiting runs.
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        // Settings by flag, environment and file, in that order. Without its traits: its JSON reader accepts what ours refuses
        // (a member that stands there twice), and it needs all of Foundation.
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        // What an operator reads on standard error.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        // How the parts count what they do, without knowing who reads it.
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CMicroHTTPD",
            path: "CMicroHTTPD",
            pkgConfig: "libmicrohttpd",
            providers: [.apt(["libmicrohttpd-dev"])]
        ),
        // The filter of system calls: the kernel takes a program for its packet filter machine, and this library writes it.
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        // Headers only: the system calls that Swift's Glibc module leaves out.
        .target(name: "CLinux", cSettings: cSettings),
        .target(name: "CLauncher", cSettings: cSettings),
        // The database of runs. GRDB would be the usual choice: measured, it makes the program 74 MB larger (it needs all of
        // Foundation), the process 8 MiB, and a run's two writes 13.7 instead of 11.5 µs.
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        // SHA-256. libmicrohttpd brings this library into the process anyway, by way of GnuTLS. swift-crypto would be the usual
        // choice: measured, it makes a small program 11 MB larger and its process 3 MiB (it needs Foundation).
        .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
        // HTTP of the commands that talk to a server: TLS, proxies and the system's certificates, by way of libcurl. Only its
        // headers are needed here; the library is opened when such a command needs it. Linked, it would be loaded by the server
        // and its launcher, too, with some 25 other libraries.
        .target(name: "CCurl", cSettings: cSettings),
        .target(name: "Digests", dependencies: ["CNettle"], swiftSettings: swiftSettings),
        .target(name: "Runs", swiftSettings: swiftSettings),
        .target(name: "Locks", dependencies: ["CLinux"], swiftSettings: swiftSettings),
        // Its core only: the rest of swift-metrics needs Foundation.
        .target(
            name: "Prometheus",
            dependencies: ["Locks", .product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Logs",
            dependencies: ["Runs", "JSON", "Locks", .product(name: "Logging", package: "swift-log")],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Reactor",
            dependencies: ["CLinux", "Locks", .product(name: "HeapModule", package: "swift-collections")],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Sandbox",
            dependencies: ["Runs", "Reactor", "CLauncher", "CLinux", "CSeccomp"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Execution",
            dependencies: ["Runs", "Reactor", "Sandbox", "CLinux"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Store",
            dependencies: [
                "Runs", "Digests", "Locks", "CLinux", "CSQLite",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Service",
            dependencies: [
                "Runs", "Reactor", "Sandbox", "Execution", "Store", "Digests", "Identity",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(name: "JSON", swiftSettings: swiftSettings),
        // What libmicrohttpd answers by itself, in our words; it links against the library like CMicroHTTPD.
        .target(name: "CMicroHTTPDHooks", cSettings: cSettings, linkerSettings: [.linkedLibrary("microhttpd")]),
        .target(
            name: "HTTPServer",
            dependencies: ["CMicroHTTPD", "CMicroHTTPDHooks", "CLinux"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "API",
            dependencies: [
                "Runs", "Reactor", "Sandbox", "Service", "Store", "Digests", "Identity", "JSON", "HTTPServer", "Logs",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            // In the program itself: there is nothing to install beside it, and nothing reads a bundle, which needs Foundation.
            resources: [.embedInCode("openapi.json")],
            swiftSettings: swiftSettings
        ),
        .target(name: "Identity", dependencies: ["Digests", "JSON"], swiftSettings: swiftSettings),
        .target(
            name: "Settings",
            dependencies: [
                "JSON", "Locks", "Reactor", .product(name: "Configuration", package: "swift-configuration"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Client",
            dependencies: ["CCurl", "CLinux", "Digests", "JSON", "Reactor", "Runs"],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "sandglass",
            dependencies: [
                "API", "Client", "HTTPServer", "Identity", "Settings", "Digests", "Service", "Store", "Execution",
                "Sandbox",
                "Reactor", "Runs", "CLinux", "Logs", "Prometheus",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings,
            // All symbols at start: the launcher then lets every library go but the C library (Sources/CLauncher/memory.c),
            // and what a stray write could turn into a call is read-only.
            linkerSettings: [.unsafeFlags(["-Xlinker", "-z", "-Xlinker", "now"])]
        ),
        // Drives the built program, over HTTP and as a command.
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["sandglass", "CLinux", "Digests", "Locks", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "HTTPServerTests", dependencies: ["HTTPServer", "CLinux"], swiftSettings: swiftSettings),
        // What several test targets need: pipes, folders, launchers, and counts of descriptors.
        .target(
            name: "TestSupport",
            dependencies: ["Reactor", "Sandbox", "CLinux"],
            path: "Tests/TestSupport",
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "RunsTests", dependencies: ["Runs"], swiftSettings: swiftSettings),
        .testTarget(name: "DigestsTests", dependencies: ["Digests"], swiftSettings: swiftSettings),
        .testTarget(name: "LocksTests", dependencies: ["Locks"], swiftSettings: swiftSettings),
        .testTarget(name: "ReactorTests", dependencies: ["Reactor", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "SandboxTests",
            dependencies: ["Sandbox", "Reactor", "CLauncher", "CLinux", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ExecutionTests",
            dependencies: ["Execution", "Runs", "Reactor", "Sandbox", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "StoreTests",
            dependencies: ["Store", "Runs", "Digests", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ServiceTests",
            dependencies: [
                "Service", "Store", "Sandbox", "Runs", "Digests", "Identity", "Reactor", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "APITests",
            dependencies: [
                "API", "Identity", "JSON", "HTTPServer", "Runs", "Reactor", "Service", "Store", "Sandbox",
                "TestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "IdentityTests", dependencies: ["Identity", "Digests"], swiftSettings: swiftSettings),
        .testTarget(name: "SettingsTests", dependencies: ["Settings", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(
            name: "ClientTests",
            dependencies: ["Client", "Digests", "JSON", "Runs", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: swiftSettings),
        .testTarget(
            name: "PrometheusTests",
            dependencies: ["Prometheus", "TestSupport", .product(name: "CoreMetrics", package: "swift-metrics")],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "LogsTests",
            dependencies: ["Logs", "JSON", "Runs", "TestSupport", .product(name: "Logging", package: "swift-log")],
            swiftSettings: swiftSettings
        ),
    ],
    swiftLanguageModes: [.v6]
)
