package import Reactor
internal import RunModel
internal import System

/// The clients that wait for runs to finish or follow their output.
@ReactorActor
final class Subscriptions {
    private var waiters: [RunID: [Waiter]] = [:]
    /// The subscriptions to runs that are not finished.
    private var subscriptions: [RunID: RunSubscription] = [:]

    /// Adds a waiter for the end of a run.
    ///
    /// - Parameters:
    ///   - id: a run that is not finished.
    ///   - duration: the maximum time to wait.
    ///   - completion: called once, unless the waiter is cancelled: with the finished run, or with `nil` after the
    ///     timeout.
    /// - Returns: the waiter, which can be cancelled.
    func wait(
        for id: RunID,
        atMost duration: Duration,
        _ completion: @escaping @ReactorActor (Run?) -> Void
    ) -> Waiter {
        let waiter = Waiter(until: .now.advanced(by: duration), completion: completion)
        // Expired and cancelled waiters are removed here, so endless polling does not accumulate them.
        waiters[id] = (waiters[id] ?? []).filter(\.isWaiting) + [waiter]
        return waiter
    }

    /// Returns the subscription to a run that is not finished, if the run has a subscriber.
    subscript(id: RunID) -> RunSubscription? { subscriptions[id] }

    /// Returns a new subscription to a run that is not finished.
    ///
    /// The subscription is removed with its last subscriber.
    func subscribe(to run: Run, _ active: ActiveRun?) -> RunSubscription {
        let subscription = RunSubscription(run, source: .nothing)
        if let active { subscription.begin(active) }
        subscription.onIdle = { [weak self] in self?.subscriptions[run.id] = nil }
        subscriptions[run.id] = subscription
        return subscription
    }

    // MARK: Changes of runs

    /// Notifies subscribers that a run is being started and may write output.
    func runStarted(_ id: RunID, _ active: ActiveRun) { subscriptions[id]?.begin(active) }

    /// Notifies subscribers that a run changed.
    func runChanged(_ run: Run) {
        // Checked first because most runs have no subscriber.
        if !subscriptions.isEmpty { subscriptions[run.id]?.update(run) }
    }

    /// Removes the waiters and the subscription of a run that finished.
    ///
    /// The caller completes the waiters when its own bookkeeping for the run is done.
    func removeFinished(_ id: RunID) -> (waiters: [Waiter], subscription: RunSubscription?) {
        let subscription = subscriptions.removeValue(forKey: id)
        subscription?.onIdle = nil
        return (waiters.removeValue(forKey: id) ?? [], subscription)
    }

    /// Completes all waiters of a run with its current state, because the run will not finish in this process.
    func endWaiting(for id: RunID) {
        for waiter in waiters.removeValue(forKey: id) ?? [] { waiter.complete(nil) }
    }

    /// Notifies waiters and subscribers that a run was abandoned.
    func runAbandoned(_ id: RunID) {
        endWaiting(for: id)
        subscriptions.removeValue(forKey: id)?.abandon()
    }
}

/// A client that waits for a run to finish.
@ReactorActor
package final class Waiter {
    private var completion: (@ReactorActor (Run?) -> Void)?
    private var timer: Timer?

    init(until time: MonotonicTime, completion: @escaping @ReactorActor (Run?) -> Void) {
        self.completion = completion
        timer = ReactorActor.schedule(at: time) { [weak self] in self?.complete(nil) }
    }

    /// Stops waiting.
    ///
    /// The completion will not be called.
    package func cancel() {
        completion = nil
        timer?.cancel()
        timer = nil
    }

    var isWaiting: Bool { completion != nil }

    func complete(_ run: Run?) {
        let completion = completion
        cancel()
        completion?(run)
    }
}
