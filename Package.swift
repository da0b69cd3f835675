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
        // The only public module: other Swift programs run commands with `Runner`.
        .library(name: "SandglassRunner", targets: ["SandglassRunner"]),
    ],
    dependencies: [
        // The command line: parsing, --help, error texts.
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        // A heap for the reactor's deadlines and a deque for the queue of runs.
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        // Settings from flags, environment and file, in that order. Its traits stay off: its JSON reader accepts duplicate
        // members, which ours refuses, and it needs all of Foundation.
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        // The log that operators read on standard error.
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        // Counters and histograms, independent of the backend that exports them.
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    ],
    targets: [
        // MARK: C

        // Serves HTTP. The module also holds the library's variadic calls as static inline functions, and our error pages in
        // place of the library's own.
        .target(
            name: "CMicroHTTPD",
            path: "CMicroHTTPD",
            cSettings: cSettings,
            linkerSettings: [.linkedLibrary("microhttpd")]
        ),
        // The system call filter: libseccomp compiles our rules to the BPF program that seccomp(2) takes.
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        // Headers only: the system calls that Swift's Glibc module lacks.
        .target(name: "CLinux", cSettings: cSettings),
        // The privileged process: everything that runs as root or between clone and exec.
        .target(name: "CLauncher", cSettings: cSettings),
        // The database of runs. GRDB would be the usual choice. Measured, it makes the program 74 MB larger (it needs all of
        // Foundation) and the process 8 MiB larger, and a run's two writes take 13.7 µs instead of 11.5 µs.
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        // SHA-256. libmicrohttpd loads this library anyway, through GnuTLS. swift-crypto would be the usual choice. Measured, it
        // makes a small program 11 MB and its process 3 MiB larger, because it needs Foundation.
        .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
        // HTTP for the client commands: libcurl brings TLS, proxies and the system's certificates. Only its headers are needed
        // here; a client command opens the library with dlopen(3). A linked libcurl would load some 25 libraries into the server
        // and its launcher.
        .target(name: "CCurl", cSettings: cSettings),

        // MARK: Foundations

        .target(name: "System", dependencies: ["CLinux", "CNettle"], swiftSettings: swiftSettings),
        .target(name: "JSON", swiftSettings: swiftSettings),
        .target(
            name: "Reactor",
            dependencies: ["System", "CLinux", .product(name: "HeapModule", package: "swift-collections")],
            swiftSettings: swiftSettings
        ),
        // CoreMetrics alone: the rest of swift-metrics needs Foundation.
        .target(
            name: "Telemetry",
            dependencies: [
                "RunModel", "JSON", "System",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(name: "Identity", dependencies: ["System", "JSON"], swiftSettings: swiftSettings),
        .target(
            name: "Settings",
            dependencies: ["JSON", "System", .product(name: "Configuration", package: "swift-configuration")],
            swiftSettings: swiftSettings
        ),

        // MARK: Runs

        .target(name: "RunModel", swiftSettings: swiftSettings),
        .target(
            name: "RunAPI",
            dependencies: ["RunModel", "JSON", "System"],
            // Embedded in the program: nothing is installed beside it, and a resource bundle would need Foundation.
            resources: [.embedInCode("openapi.json")],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Sandbox",
            dependencies: ["RunModel", "Reactor", "System", "CLauncher", "CLinux", "CSeccomp"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Execution",
            dependencies: ["RunModel", "Reactor", "Sandbox", "System", "CLinux"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "SandglassRunner",
            dependencies: ["Execution", "RunModel", "Reactor", "Sandbox", "System"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Store",
            dependencies: [
                "RunModel", "System", "CLinux", "CSQLite",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Service",
            dependencies: [
                "RunModel", "Reactor", "Sandbox", "Execution", "Store", "System", "Identity",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: swiftSettings
        ),

        // MARK: HTTP

        .target(
            name: "HTTPServer",
            dependencies: ["CMicroHTTPD", "CLinux", "System"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Server",
            dependencies: [
                "RunModel", "RunAPI", "Reactor", "Sandbox", "Service", "Store", "System", "Identity", "JSON",
                "HTTPServer", "Telemetry",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "Client",
            dependencies: ["CCurl", "CLinux", "JSON", "RunAPI", "RunModel", "System"],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "sandglass",
            dependencies: [
                "Server", "Client", "HTTPServer", "Identity", "Settings", "Service", "Store", "Execution", "Sandbox",
                "Reactor", "RunAPI", "RunModel", "System", "CLinux", "Telemetry",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings,
            // All symbols are bound at start. The launcher can then unmap every library but the C library
            // (Sources/CLauncher/launcher/memory.c), and the tables of function addresses are read-only.
            linkerSettings: [.unsafeFlags(["-Xlinker", "-z", "-Xlinker", "now"])]
        ),

        // MARK: Tests

        // Shared by several test targets: pipes, directories, launchers, and counts of open descriptors.
        .target(
            name: "TestSupport",
            dependencies: ["JSON", "Reactor", "RunModel", "Sandbox", "System", "CLinux"],
            path: "Tests/TestSupport",
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "SystemTests", dependencies: ["System", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: swiftSettings),
        .testTarget(
            name: "ReactorTests",
            dependencies: ["Reactor", "System", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "TelemetryTests",
            dependencies: [
                "Telemetry", "JSON", "RunModel", "TestSupport",
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "IdentityTests", dependencies: ["Identity", "System"], swiftSettings: swiftSettings),
        .testTarget(name: "SettingsTests", dependencies: ["Settings", "TestSupport"], swiftSettings: swiftSettings),
        .testTarget(name: "RunModelTests", dependencies: ["RunModel"], swiftSettings: swiftSettings),
        .testTarget(
            name: "RunAPITests",
            dependencies: ["RunAPI", "JSON", "RunModel", "System", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "SandboxTests",
            dependencies: ["Sandbox", "Reactor", "System", "CLauncher", "CLinux", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ExecutionTests",
            dependencies: [
                "CLinux", "Execution", "RunModel", "Reactor", "Sandbox", "System", "TestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "SandglassRunnerTests",
            dependencies: ["SandglassRunner", "RunModel", "Reactor", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "StoreTests",
            dependencies: ["Store", "RunModel", "System", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ServiceTests",
            dependencies: [
                "Service", "Store", "Sandbox", "RunModel", "System", "Identity", "Reactor", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "HTTPServerTests",
            dependencies: ["HTTPServer", "System", "CLinux", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "Identity", "JSON", "HTTPServer", "RunAPI", "RunModel", "Reactor", "Service", "Store",
                "Sandbox",
                "System", "TestSupport",
            ],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "ClientTests",
            dependencies: ["Client", "JSON", "RunAPI", "RunModel", "System", "TestSupport"],
            swiftSettings: swiftSettings
        ),
        // Runs the commands of the documentation against the built program and follows its links.
        .testTarget(name: "DocumentationTests", dependencies: ["sandglass"], swiftSettings: swiftSettings),
        // Drives the built program, over HTTP and as a command.
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["sandglass", "CLinux", "System", "TestSupport"],
            swiftSettings: swiftSettings
        ),
    ],
    swiftLanguageModes: [.v6]
)
