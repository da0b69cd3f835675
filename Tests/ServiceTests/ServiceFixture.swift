import Logging
import Reactor
import Runs
import Sandbox
import Service
import Store
import TestSupport

/// A service with a launcher and a store of its own.
@Reactor
struct ServiceFixture {
    let service: RunService
    let launcher: Launcher

    /// Waits until a run is finished.
    func end(of id: RunID) async -> Run? {
        await withCheckedContinuation { continuation in
            let waiter = service.wait(for: id, atMost: .seconds(100)) { continuation.resume(returning: $0) }
            if waiter == nil { continuation.resume(returning: service.run(id)) }
        }
    }

    /// Waits until a run has written something to its standard output.
    ///
    /// The service tells nobody of that: it is asked
    /// again and again.
    func firstOutput(of id: RunID) async {
        while service.run(id)?.standardOutput.totalBytes == 0 {
            await withCheckedContinuation { continuation in
                _ = Reactor.schedule(at: .now.advanced(by: .milliseconds(1))) { continuation.resume() }
            }
        }
    }

    /// Looks a run up, in the database too.
    func find(_ id: RunID) async throws -> Run? {
        try await withCheckedContinuation { continuation in
            service.find(id) { continuation.resume(returning: $0) }
        }.get()
    }

    func stop() async {
        await withCheckedContinuation { continuation in service.stop { continuation.resume() } }
    }
}

/// Calls a test with a service, which is stopped afterwards.
func withService(
    concurrency: Int = 4,
    queueLimit: Int = 100,
    retention: Retention = Retention(),
    directory: String? = nil,
    _ body: @escaping @Reactor (ServiceFixture) async throws -> Void
) async throws {
    try await withLauncher(slots: concurrency + 2) { launcher in
        let folder =
            if let directory { try DataDirectory(path: directory) } else { try DataDirectory(temporaryIn: "/tmp") }
        let store = try RunStore(folder, retention: retention)
        defer { store.close() }
        let service = RunService(
            launcher: launcher,
            store: store,
            limits: ServiceLimits(concurrency: concurrency, queued: queueLimit),
            enforcement: .current,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let fixture = ServiceFixture(service: service, launcher: launcher)
        try await body(fixture)
        await fixture.stop()
    }
}

extension RunSpecification {
    /// A script for sh(1).
    static func script(_ script: String, timeout: Duration = .seconds(60), grace: Duration = .zero) -> RunSpecification
    {
        var limits = Limits()
        limits.timeout = timeout
        return RunSpecification(command: ["sh", "-c", script], limits: limits, grace: grace)
    }
}
