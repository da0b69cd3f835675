package import Reactor
package import RunModel
package import Store
internal import System

/// A subscriber of a run's state and output.
@ReactorActor
package protocol RunSubscriber: AnyObject {
    /// Notifies the subscriber that the run may have more output, or that its state changed.
    ///
    /// The service calls this often, and in the middle of other work. An implementation only remembers the
    /// notification and does its work later.
    func wake()
}

/// The state and output of one run, shared by all its subscribers while the run is not finished.
///
/// The run stores its output once. Each subscriber remembers its own position in the output.
@ReactorActor
package final class RunSubscription {
    /// The minimum interval between two notifications.
    private static let minimumInterval = Duration.milliseconds(1)
    /// The time that each subscriber adds to the interval: 1,000 subscribers are notified at most every 20 ms.
    private static let intervalPerSubscriber = Duration.microseconds(20)

    /// The run, without its output.
    package private(set) var run: Run
    /// True if the end of the run, if it has one, is persistent and may therefore be reported.
    package private(set) var isPersisted: Bool
    /// True if the run was abandoned because it could not be stored.
    ///
    /// No further events follow.
    package private(set) var isAbandoned = false

    private var source: OutputSource
    private var subscribers: [ObjectIdentifier: any RunSubscriber] = [:]
    private var nextNotification = MonotonicTime(nanoseconds: 0)
    private var pendingNotification: Timer?
    /// Called when the last subscriber was removed.
    var onIdle: (@ReactorActor () -> Void)?

    /// Creates a subscription to a run that is not finished.
    init(_ run: Run, source: OutputSource) {
        (self.run, self.source) = (run, source)
        isPersisted = false
    }

    /// Creates a subscription to a run that is finished and persistent.
    package init(finished stored: StoredRun) {
        run = stored.run
        source = .stored(StoredOutput(stored))
        isPersisted = true
    }

    /// True if the run's output is complete.
    package var isComplete: Bool { run.state == .finished }

    // MARK: Output

    /// Returns the offset after the last byte of a stream that can be read.
    package func endOffset(of stream: OutputStream) -> Int { source.endOffset(of: stream) }

    /// Returns the offsets of the first bytes of a stream that can be read and follow each other without a gap.
    ///
    /// Output that was cut, or that a subscriber is too slow to read, leaves a gap.
    ///
    /// - Parameters:
    ///   - stream: the stream.
    ///   - offset: the offset from which to look.
    /// - Returns: the offsets, an empty range if there are none.
    package func readable(_ stream: OutputStream, from offset: Int) -> Range<Int> {
        source.readable(stream, from: offset)
    }

    /// Reads bytes of a stream.
    ///
    /// - Parameters:
    ///   - stream: the stream.
    ///   - offset: the offset of the first byte in the stream, from ``readable(_:from:)``.
    ///   - buffer: the destination.
    /// - Returns: the number of bytes, 0 at the end of the current output; `nil` if the output can no longer be read.
    package func read(_ stream: OutputStream, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        source.read(stream, at: offset, into: buffer)
    }

    /// The order in which the pieces of both streams were written.
    package var order: StreamInterleaving { source.order }

    // MARK: Subscribers

    /// Adds a subscriber, unless the run is over and no notification will follow.
    package func add(_ subscriber: any RunSubscriber) {
        guard !isComplete || !isPersisted else { return }
        subscribers[ObjectIdentifier(subscriber)] = subscriber
    }

    /// Removes a subscriber.
    package func remove(_ subscriber: any RunSubscriber) {
        guard subscribers.removeValue(forKey: ObjectIdentifier(subscriber)) != nil, subscribers.isEmpty else { return }
        pendingNotification?.cancel()
        pendingNotification = nil
        if case .active(let run) = source { run.onOutput = nil }
        onIdle?()
    }

    // MARK: Changes of the run

    /// Connects the subscription to the output of a run that is being started.
    func begin(_ active: ActiveRun) {
        source = .active(active)
        active.onOutput = { [weak self] in self?.notifyOfOutput() }
    }

    /// Notifies subscribers that the run changed.
    func update(_ run: Run) {
        self.run = run
        self.run.standardOutput = .empty
        self.run.standardError = .empty
        notify()
    }

    /// Notifies subscribers that the run's end is persistent.
    func endPersisted() {
        isPersisted = true
        notify()
    }

    /// Notifies subscribers that the run was abandoned.
    func abandon() {
        isAbandoned = true
        notify()
    }

    /// Notifies subscribers of new output: immediately if the last notification is long enough ago, otherwise once
    /// for all output until the interval is over.
    private func notifyOfOutput() {
        guard pendingNotification == nil, !subscribers.isEmpty else { return }
        let now = MonotonicTime.now
        guard now < nextNotification else { return notify(at: now) }
        pendingNotification = ReactorActor.schedule(at: nextNotification) { [weak self] in self?.notify() }
    }

    private func notify(at now: MonotonicTime = .now) {
        pendingNotification?.cancel()
        pendingNotification = nil
        let interval = max(Self.minimumInterval, Self.intervalPerSubscriber * subscribers.count)
        nextNotification = now.advanced(by: interval)
        for subscriber in subscribers.values { subscriber.wake() }
    }
}

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
