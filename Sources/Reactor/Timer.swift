/// Something that the reactor will do at a time.
@Reactor
public final class Timer {
    nonisolated let time: MonotonicTime
    private var action: (@Reactor () -> Void)?

    init(time: MonotonicTime, action: @escaping @Reactor () -> Void) {
        self.time = time
        self.action = action
    }

    var isCancelled: Bool { action == nil }

    /// Prevents it, if it has not happened yet.
    public func cancel() {
        guard action != nil else { return }
        action = nil
        EventLoop.shared.timerWasCancelled()
    }

    func fire() {
        let action = action
        self.action = nil
        action?()
    }
}

extension Timer: Comparable {
    /// Orders by time.
    public nonisolated static func < (left: Timer, right: Timer) -> Bool { left.time < right.time }

    /// Two timers are the same only if they are one.
    public nonisolated static func == (left: Timer, right: Timer) -> Bool { left === right }
}
