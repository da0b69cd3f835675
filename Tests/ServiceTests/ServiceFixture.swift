import Logging
import Reactor
import RunModel
import Sandbox
import Store
import System
import TestSupport
import Testing

@testable import Service

/// A service with its own launcher and store.
@ReactorActor
struct ServiceFixture {
    let service: RunService
    let launcher: Launcher

    /// Submits a run without a key and without a cache, and returns it.
    func submit(_ specification: RunSpecification) throws(SubmissionError) -> Run {
        var result: Result<SubmitResult, SubmissionError>?
        service.submit(Submission(specification)) { result = $0 }
        guard let result else { fatalError("a plain submission must complete immediately") }
        return try result.get().run
    }

    /// Submits a run and waits for the result.
    func submit(_ submission: Submission) async throws -> SubmitResult {
        try await withCheckedContinuation { continuation in
            service.submit(submission) { continuation.resume(returning: $0) }
        }.get()
    }

    /// Submits all runs before the first one has a result.
    func submit(_ submissions: [Submission]) async throws -> [SubmitResult] {
        var results: [Result<SubmitResult, SubmissionError>] = []
        await withCheckedContinuation { continuation in
            for submission in submissions {
                service.submit(submission) { result in
                    results.append(result)
                    if results.count == submissions.count { continuation.resume() }
                }
            }
        }
        return try results.map { try $0.get() }
    }

    /// Waits until a run is finished and returns it.
    func end(of id: RunID) async -> Run? {
        await withCheckedContinuation { continuation in
            let waiter = service.wait(for: id, atMost: .seconds(100)) { continuation.resume(returning: $0) }
            if waiter == nil { continuation.resume(returning: service.run(id)) }
        }
    }

    /// Waits until a run has written to its standard output.
    ///
    /// The service has no notification for that, so this function polls.
    func firstOutput(of id: RunID) async {
        while service.run(id)?.standardOutput.totalBytes == 0 {
            await withCheckedContinuation { continuation in
                _ = ReactorActor.schedule(at: .now.advanced(by: .milliseconds(1))) { continuation.resume() }
            }
        }
    }

    /// Returns the number of runs.
    func count() async throws -> Int { try await service.list(RunFilter(), limit: 100).count }

    func stop() async {
        await withCheckedContinuation { continuation in service.stop { continuation.resume() } }
    }
}

/// Calls a test with a service and stops the service afterwards.
func withService(
    concurrency: Int = 4,
    queueLimit: Int = 100,
    retention: Retention = Retention(),
    directory: String? = nil,
    _ body: @escaping @ReactorActor (ServiceFixture) async throws -> Void
) async throws {
    try await withLauncher(slots: concurrency + 2) { launcher in
        let directory =
            if let directory { try DataDirectory(path: directory) } else { try DataDirectory(temporaryIn: "/tmp") }
        let store = try RunStore(directory, retention: retention)
        defer { store.close() }
        let service = RunService(
            launcher: launcher,
            store: store,
            limits: ServiceLimits(concurrency: concurrency, queued: queueLimit),
            enforcement: .minimum,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let fixture = ServiceFixture(service: service, launcher: launcher)
        try await body(fixture)
        await fixture.stop()
    }
}

extension RunSpecification {
    /// Creates the specification of a script for sh(1).
    static func script(_ script: String, timeout: Duration = .seconds(60), grace: Duration = .zero) -> RunSpecification
    {
        var limits = Limits()
        limits.timeout = timeout
        return RunSpecification(command: ["sh", "-c", script], limits: limits, grace: grace)
    }
}

extension Trait where Self == ConditionTrait {
    /// A condition that skips tests where an ordinary user may not create user namespaces.
    static var needsSandbox: ConditionTrait {
        .enabled("this host does not allow this user to create user namespaces") { await sandboxIsAvailable() }
    }
}
