public import Identity
internal import Reactor
public import Runs
public import Store

/// Reading runs, waiting for them, and following what they write.
extension RunService {
    /// What is known of a run that is not finished or was not long ago; of one that is running also what it has written so far.
    ///
    /// - Parameters:
    ///   - id: its name.
    ///   - principal: who asks; somebody else's run is none.
    /// - Returns: the run, if there is one.
    public func run(_ id: RunID, for principal: Principal = .everybody) -> Run? {
        guard let stored = store.run(id), Self.sees(principal, stored) else { return nil }
        var run = stored.run
        active[id]?.showOutput(in: &run)
        return run
    }

    /// Looks a run up, also one that was finished long ago.
    ///
    /// - Parameters:
    ///   - id: its name.
    ///   - principal: who asks; somebody else's run is none.
    ///   - completion: called with the run, if there is one; at once when it is at hand.
    public func find(
        _ id: RunID,
        for principal: Principal = .everybody,
        _ completion: @escaping @Reactor (Result<Run?, StoreError>) -> Void
    ) {
        if let run = run(id, for: principal) { return completion(.success(run)) }
        store.find(id) { result in
            Task { @Reactor in
                completion(result.map { stored in stored.flatMap { Self.sees(principal, $0) ? $0.run : nil } })
            }
        }
    }

    /// Whether somebody may know of a run.
    static func sees(_ principal: Principal, _ run: StoredRun) -> Bool {
        principal.may(.admin) || run.principal == principal.name
    }

    /// Waits until a run's end that is about to be told is remembered: once told, it is the end after any restart too.
    ///
    /// - Parameters:
    ///   - run: what is known of it; one that is not finished may change in any case.
    ///   - completion: called once it may be told; at once when it is remembered already.
    public func settle(_ run: Run, _ completion: @escaping @Reactor () -> Void) {
        guard run.state == .finished else { return completion() }
        let isSettled = store.settle(run.id) { Task { @Reactor in completion() } }
        if isSettled { completion() }
    }

    /// The newest runs that a filter lets through, the newest first.
    ///
    /// - Parameters:
    ///   - filter: which runs.
    ///   - limit: how many at most.
    ///   - completion: called with them.
    public func list(
        _ filter: RunFilter,
        limit: Int,
        _ completion: @escaping @Reactor (Result<[Run], StoreError>) -> Void
    ) {
        store.page(filter, limit: limit) { result in
            Task { @Reactor in completion(result.map { $0.map(\.run) }) }
        }
    }

    /// Whether there is a run of that name at hand that somebody may know of, without copying it.
    public func knows(_ id: RunID, for principal: Principal) -> Bool {
        principal.may(.admin) ? store.contains(id) : store.run(id).map { Self.sees(principal, $0) } ?? false
    }

    /// Waits for a run to finish.
    ///
    /// - Parameters:
    ///   - id: the run; if it has finished, or is not known, there is nothing to wait for.
    ///   - duration: how long at most.
    ///   - completion: called once unless cancelled: with the finished run, or with `nil` when the time is over.
    /// - Returns: whoever waits, or `nil` if there is nothing to wait for.
    public func wait(
        for id: RunID,
        atMost duration: Duration,
        completion: @escaping @Reactor (Run?) -> Void
    ) -> Waiter? {
        guard let run = store.run(id)?.run, run.state != .finished else { return nil }
        // What is not going to begin any more is not waited for.
        if phase == .draining, run.state == .queued { return nil }
        let waiter = Waiter(until: .now.advanced(by: duration), completion: completion)
        // Those who went away are forgotten here, so that polling for ever does not gather them.
        waiters[id] = (waiters[id] ?? []).filter(\.isWaiting) + [waiter]
        return waiter
    }

    /// Lets somebody follow what a run writes, from its beginning to its end, or read it when it is over.
    ///
    /// - Parameters:
    ///   - id: its name.
    ///   - principal: who asks; somebody else's run is none.
    ///   - completion: called with the run, if there is one; at once when it is at hand and not finished.
    public func follow(
        _ id: RunID,
        for principal: Principal = .everybody,
        _ completion: @escaping @Reactor (Result<FollowedRun?, StoreError>) -> Void
    ) {
        if let followed = followed[id], let stored = store.run(id) {
            return completion(.success(Self.sees(principal, stored) ? followed : nil))
        }
        guard let stored = store.run(id) else {
            return store.find(id) { result in
                Task { @Reactor in
                    completion(
                        result.map { stored in
                            stored.flatMap { Self.sees(principal, $0) ? FollowedRun(finished: $0) : nil }
                        }
                    )
                }
            }
        }
        guard Self.sees(principal, stored) else { return completion(.success(nil)) }
        guard stored.run.state != .finished else {
            return settle(stored.run) { completion(.success(FollowedRun(finished: stored))) }
        }
        let run = FollowedRun(stored.run, source: .nothing)
        if let active = active[id] { run.begin(active) }
        run.onIdle = { [weak self] in self?.stopFollowing(id) }
        followed[id] = run
        completion(.success(run))
    }

    private func stopFollowing(_ id: RunID) {
        followed[id] = nil
        active[id]?.onOutput = nil
    }
}
