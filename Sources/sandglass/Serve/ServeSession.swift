internal import CLinux
internal import Glibc
internal import HTTPServer
internal import Logging
internal import Reactor
internal import RunModel
internal import Sandbox
internal import Server
internal import Service
internal import Settings
internal import Store
internal import System

/// The lifetime of `sandglass serve`: start, serve, and shut down in the reverse order.
struct ServeSession {
    /// Half of the 8192 slot numbers, because some slots are still being torn down while others start.
    static let maximumConcurrency = 4096

    /// The number of processors that this process may use.
    ///
    /// The number respects `taskset` and the cpuset of a container.
    static var availableProcessors: Int { min(max(Int(sandglass_processor_count()), 1), maximumConcurrency) }

    /// The descriptors of a starting run: the control socket, both ends of three pipes, the command, two files.
    private static let descriptorsPerRun = 12
    /// The descriptors of the service itself, with some to spare for responses that are files.
    private static let ownDescriptors = 64 + BlobLimits().uploads
    private static let minimumConnections = 16

    let configuration: ServeConfiguration
    let metrics = ServerMetrics()

    /// Serves until a signal stops the server, and exits.
    func run() -> Never {
        var signals = SignalWaiter([SIGINT, SIGTERM, SIGHUP])
        let logger = configuration.log.logger
        let concurrency = configuration.limits.concurrency
        var http = configuration.http
        http.maximumConnections = connectionLimit(concurrency)
        // The launcher starts first, because the process is still small and has no other thread.
        let host = HostInfo.current()
        let slots = min(max(concurrency * 2, concurrency + 64), SandboxPolicy.maximumSlots)
        var launcher = SandboxStart.launcher(
            .host(slots: slots, scratchBytes: Limits().diskBytes, configuration: configuration.sandbox),
            required: configuration.required,
            host,
            orExitWith: 1
        )
        // Returns the memory of the view's files, which only the launcher needed.
        malloc_trim(0)
        // Like the launcher, the server gets a higher priority than the commands. Only root may raise it. Without it
        // the server responds later under load.
        let process = __priority_which_t(PRIO_PROCESS.rawValue)
        setpriority(process, 0, getpriority(process, 0) - 10)

        // The files are read before the server drops its privileges: its later user may not be able to read them.
        http.tls = Self.orExit { () throws(SettingError) in try configuration.tlsFiles?.read() }
        let tokens = TokenSource(path: configuration.tokensPath)
        let tokenFile = Self.orExit { () throws(SettingError) in try tokens?.read() }
        let store = openStore()
        let view = launcher.takeView(configuration.sandbox)
        let application = ServerApplication(configuration, http, tokens, tokenFile, metrics, logger)
        start(application, launcher, host, store, logger)
        var isStopping = false
        while true {
            switch signals.next() {
            case SIGHUP:
                update(view, logger)
                Task { @ReactorActor in application.reload() }
            case let signal where !isStopping:
                isStopping = true
                logger.info("stopping", metadata: ["signal": "\(signal)"])
                Task { @ReactorActor in application.stop() }
            default: Task { @ReactorActor in application.stopNow() }
            }
        }
    }

    /// Shows commands the package files that the host has now.
    private func update(_ view: HostViewUpdate?, _ logger: Logger) {
        guard let view else { return logger.warning("cannot update the package files that commands see") }
        do throws(SystemError) {
            let difference = try view.run()
            var metadata: Logger.Metadata = [
                "changed": "\(difference.changed)", "removed": "\(difference.removed)",
            ]
            if !difference.needRestart.isEmpty {
                metadata["need_restart"] = "\(difference.needRestart.joined(separator: " "))"
            }
            logger.notice("updated the package files that commands see", metadata: metadata)
        } catch {
            logger.error("cannot update the package files that commands see", metadata: ["error": "\(error)"])
        }
    }

    private func start(
        _ application: ServerApplication,
        _ launcher: consuming LauncherProcess,
        _ host: HostInfo,
        _ store: sending RunStore,
        _ logger: Logger
    ) {
        let transfer = UnsafeTransfer(launcher)
        Task { @ReactorActor in
            do {
                try await application.start(transfer.take(), host, store)
                Diagnostics.print("listening on \(application.url)")
                ServiceNotification.ready()
                if application.recovered != (0, 0) {
                    logger.notice(
                        "recovered the runs of an earlier server",
                        metadata: [
                            "queued": "\(application.recovered.queued)", "lost": "\(application.recovered.lost)",
                        ]
                    )
                }
                for gap in application.gaps {
                    // A gap outside the features that can be required is only a notice.
                    let isProtection = gap.features.contains(where: Requirement.isolation.features.contains)
                    logger.log(level: isProtection ? .warning : .notice, "\(gap)")
                }
                logger.info("started", metadata: startMetadata(url: application.url, application.gaps))
            } catch {
                Diagnostics.print("sandglass: cannot start: \(error)")
                application.exitProcess(status: 1)
            }
        }
    }

    /// Returns the details that an operator looks for in an old log.
    private func startMetadata(url: String, _ gaps: [Gap]) -> Logger.Metadata {
        let missing = Set(gaps.flatMap(\.features))
        let protections = Requirement.isolation.features.subtracting(missing).map(\.rawValue).sorted()
        return [
            "version": "\(SandglassCommand.version)",
            "address": "\(url)",
            "data": "\(configuration.dataDirectory ?? "temporary")",
            "concurrency": .stringConvertible(configuration.limits.concurrency),
            "protections": "\(protections.joined(separator: ","))",
        ]
    }

    /// Opens the data directory while the process may still open any, and then drops the privileges.
    private func openStore() -> RunStore {
        do {
            let user = Privileges.serviceUser
            let directory =
                if let path = configuration.dataDirectory {
                    try DataDirectory(path: path)
                } else {
                    try DataDirectory(temporaryIn: Self.temporaryDirectory, orOwnedBy: user)
                }
            if let user { try directory.give(to: user) }
            let store = try RunStore(
                directory,
                durability: configuration.durability,
                retention: configuration.retention,
                blobLimits: configuration.blobLimits,
                metrics: metrics.store
            )
            try Privileges.drop()
            return store
        } catch {
            Diagnostics.print("sandglass: cannot start: \(error)")
            exit(1)
        }
    }

    // MARK: Descriptors

    /// Returns the number of connections that the descriptor limit allows, and exits if it is too small.
    private func connectionLimit(_ concurrency: Int) -> Int {
        let reserved = Self.ownDescriptors + concurrency * Self.descriptorsPerRun
        let available = Self.raiseDescriptorLimit() - reserved
        guard available >= Self.minimumConnections else {
            let needed = reserved + Self.minimumConnections
            Diagnostics.print(
                "sandglass: --concurrency \(concurrency) needs \(needed, counting: "descriptor"). Raise the limit "
                    + "(ulimit -n \(needed)) or lower --concurrency."
            )
            exit(1)
        }
        let wanted = configuration.http.maximumConnections
        if configuration.setsMaximumConnections, wanted > available {
            let needed = wanted + reserved
            Diagnostics.print(
                "sandglass: --max-connections \(wanted) needs \(needed, counting: "descriptor"). Raise the limit "
                    + "(ulimit -n \(needed)) or lower --max-connections."
            )
            exit(1)
        }
        return min(wanted, available)
    }

    /// Raises the soft limit of descriptors to the hard limit, and returns it.
    ///
    /// Each end of each pipe takes a descriptor. The usual soft limit of 1024 is for programs that use select(2).
    private static func raiseDescriptorLimit() -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }

    private static var temporaryDirectory: String {
        guard let path = getenv("TMPDIR"), path.pointee != 0 else { return "/tmp" }
        return String(cString: path)
    }

    /// Reads a file that a setting names, and exits if the file is invalid.
    private static func orExit<Value>(_ body: () throws(SettingError) -> Value) -> Value {
        do throws(SettingError) {
            return try body()
        } catch {
            Diagnostics.print("sandglass: cannot start: \(error)")
            exit(1)
        }
    }
}

/// The privileges that a server drops after its launcher has started and before it listens.
private enum Privileges {
    /// The user that the server becomes if it is root.
    static var serviceUser: UInt32? { geteuid() == 0 ? HostUserRange.serviceUser : nil }

    /// Becomes an unprivileged user of its own, forbids new privileges by exec, and hides the process from others.
    ///
    /// An attacker who takes over the HTTP server then has the output of runs and the launcher's socket, which can run
    /// commands in sandboxes. Nothing else of the host is exposed.
    static func drop() throws(SystemError) {
        if let user = serviceUser, sandglass_change_user(user) < 0 { throw SystemError("become user \(user)") }
        if sandglass_harden_process() < 0 { throw SystemError("prctl") }
    }
}

/// Notifications of the service manager about the state of the service (sd_notify(3)).
///
/// The protocol is one datagram to a socket that the manager names, which does not justify a library.
enum ServiceNotification {
    /// Reports that the service accepts connections.
    static func ready() { send("READY=1") }

    /// Reports that the service is stopping.
    static func stopping() { send("STOPPING=1") }

    private static func send(_ state: String) {
        guard let name = getenv("NOTIFY_SOCKET") else { return }
        var path = Array(String(cString: name).utf8)
        // A leading @ stands for the NUL of an abstract name (unix(7)).
        guard path.first == UInt8(ascii: "/") || path.first == UInt8(ascii: "@") else { return }
        let isAbstract = path[0] == UInt8(ascii: "@")
        if isAbstract { path[0] = 0 }
        var address = sockaddr_un()
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        let length = socklen_t(offset + path.count + (isAbstract ? 0 : 1))
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let text = Array(state.utf8)
        withUnsafePointer(to: &address) { pointer in
            // SAFETY: every kind of address begins like sockaddr, and the call reads `length` bytes of this one.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), address, length)
            }
        }
    }
}
