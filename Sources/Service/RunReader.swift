internal import Identity
internal import Reactor
internal import RunModel
internal import Store

/// Reads runs from memory and from the database, each for a principal that may see only its own runs.
@ReactorActor
final class RunReader {
    private let store: RunStore
    private let scheduler: Scheduler
    private let subscriptions: Subscriptions

    init(store: RunStore, scheduler: Scheduler, subscriptions: Subscriptions) {
        (self.store, self.scheduler, self.subscriptions) = (store, scheduler, subscriptions)
    }

    /// Returns whether a principal may see a run.
    static func isVisible(_ run: StoredRun, to principal: Principal) -> Bool {
        principal.may(.admin) || run.principal == principal.name
    }

    /// Returns a run that is in memory, with the output that it has written so far.
    func run(_ id: RunID, for principal: Principal = .anonymous) -> Run? {
        guard let stored = store.run(id), Self.isVisible(stored, to: principal) else { return nil }
        var run = stored.run
        scheduler[id]?.copyOutput(to: &run)
        return run
    }

    /// Returns whether a run is in memory, without copying the run.
    func contains(_ id: RunID, for principal: Principal) -> Bool {
        principal.may(.admin)
            ? store.contains(id) : store.run(id).map { Self.isVisible($0, to: principal) } ?? false
    }

    /// Finds a run in memory or in the database.
    func find(_ id: RunID, for principal: Principal = .anonymous) async throws(StoreError) -> Run? {
        if let run = run(id, for: principal) { return run }
        return try await findStored(id, for: principal)?.run
    }

    /// Finds the request of a run.
    func request(of run: Run) async throws(StoreError) -> RunSpecification? {
        try await withCheckedContinuation { continuation in
            store.findRequest(run.id) { continuation.resume(returning: $0) }
        }.get()
    }

    /// Returns the newest runs that match a filter.
    func list(_ filter: RunFilter, limit: Int) async throws(StoreError) -> [Run] {
        try await withCheckedContinuation { continuation in
            store.page(filter, limit: limit) { continuation.resume(returning: $0) }
        }.get().map(\.run)
    }

    /// Waits for a run to finish and returns the waiter; `nil` if the run is finished or will not start.
    func wait(
        for id: RunID,
        atMost duration: Duration,
        _ completion: @escaping @ReactorActor (Run?) -> Void
    ) -> Waiter? {
        guard let run = store.run(id)?.run, run.state != .finished else { return nil }
        if scheduler.isDraining, run.state == .queued, scheduler[id] == nil { return nil }
        return subscriptions.wait(for: id, atMost: duration, completion)
    }

    /// Subscribes to a run, or opens a finished one.
    func subscribe(to id: RunID, for principal: Principal) async throws(StoreError) -> RunSubscription? {
        guard let stored = store.run(id) else {
            return try await findStored(id, for: principal).map { RunSubscription(finished: $0) }
        }
        guard Self.isVisible(stored, to: principal) else { return nil }
        if let subscription = subscriptions[id] { return subscription }
        if stored.run.state == .finished {
            await persisted(stored.run)
            return RunSubscription(finished: stored)
        }
        return subscriptions.subscribe(to: stored.run, scheduler[id])
    }

    /// Waits until the end of a finished run is persistent.
    func whenPersisted(_ run: Run, _ completion: @escaping @ReactorActor () -> Void) {
        guard run.state == .finished else { return completion() }
        if store.whenPersisted(run.id, onReactor(completion)) { completion() }
    }

    /// Returns when the end of a finished run is persistent.
    func persisted(_ run: Run) async {
        guard run.state == .finished else { return }
        await withCheckedContinuation { continuation in
            if store.whenPersisted(run.id, { continuation.resume() }) { continuation.resume() }
        }
    }

    private func findStored(_ id: RunID, for principal: Principal) async throws(StoreError) -> StoredRun? {
        let stored = try await withCheckedContinuation { continuation in
            store.find(id) { continuation.resume(returning: $0) }
        }.get()
        return stored.flatMap { Self.isVisible($0, to: principal) ? $0 : nil }
    }
}
