internal import System

/// An action that the reactor performs once at a given time.
@ReactorActor
package final class Timer {
    nonisolated let time: MonotonicTime
    private var action: (@ReactorActor () -> Void)?

    init(time: MonotonicTime, action: @escaping @ReactorActor () -> Void) {
        self.time = time
        self.action = action
    }

    var isCancelled: Bool { action == nil }

    /// Prevents the action.
    ///
    /// Has no effect after the timer has fired.
    package func cancel() {
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
    /// Orders timers by time.
    package nonisolated static func < (left: Timer, right: Timer) -> Bool { left.time < right.time }

    /// Compares identity.
    package nonisolated static func == (left: Timer, right: Timer) -> Bool { left === right }
}
