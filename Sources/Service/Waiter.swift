public import Reactor
internal import Runs

/// Somebody who waits for a run to finish.
@Reactor
public final class Waiter {
    private var completion: (@Reactor (Run?) -> Void)?
    private var timer: Timer?

    init(until time: MonotonicTime, completion: @escaping @Reactor (Run?) -> Void) {
        self.completion = completion
        timer = Reactor.schedule(at: time) { [weak self] in self?.complete(nil) }
    }

    /// Stops waiting; the completion is not called any more.
    public func cancel() {
        completion = nil
        timer?.cancel()
        timer = nil
    }

    /// Whether it still waits.
    var isWaiting: Bool { completion != nil }

    func complete(_ run: Run?) {
        let completion = completion
        cancel()
        completion?(run)
    }
}
