internal import CLinux
internal import Glibc
internal import HeapModule
internal import System

/// The epoll(7) loop: a watch for each descriptor and one timerfd for the earliest deadline.
///
/// The deadline is a timerfd because the timeout of epoll_wait(2) counts in milliseconds and expires late.
@ReactorActor
final class EventLoop {
    static let shared = EventLoop()

    private static let eventsAtOnce = 128

    private let epoll: Int32
    private let timer: Int32
    private let events: UnsafeMutableBufferPointer<epoll_event>
    private var watches: [Watch?] = []
    private var timers = Heap<Timer>()
    private var cancelledTimers = 0
    private var armed: MonotonicTime?
    private var generation: UInt32 = 0

    private init() {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(epoll >= 0, "epoll_create1: \(SystemError("epoll_create1"))")
        timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        precondition(timer >= 0, "timerfd_create: \(SystemError("timerfd_create"))")
        events = .allocate(capacity: Self.eventsAtOnce)
        listen(to: timer) { EventLoop.shared.runTimers() }
    }

    /// Calls `action` whenever an eventfd or a timerfd has a count, and resets the count.
    func listen(to counter: Int32, then action: @escaping @ReactorActor () -> Void = {}) {
        do {
            _ = try watch(counter, for: .readable) { _ in
                var count: UInt64 = 0
                _ = read(counter, &count, MemoryLayout.size(ofValue: count))
                action()
            }
        } catch {
            preconditionFailure("\(error)")
        }
    }

    // MARK: Watches

    func watch(
        _ descriptor: Int32,
        for interest: Interest,
        handler: @escaping @ReactorActor (Interest) -> Void
    ) throws(SystemError) -> Watch {
        generation &+= 1
        let watch = Watch(descriptor: descriptor, generation: generation, interest: interest, handler: handler)
        var event = watch.event
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 else { throw SystemError("epoll_ctl") }
        let index = Int(descriptor)
        while watches.count <= index { watches.append(nil) }
        watches[index] = watch
        return watch
    }

    func change(_ watch: Watch) {
        var event = watch.event
        precondition(epoll_ctl(epoll, EPOLL_CTL_MOD, watch.descriptor, &event) == 0, "\(SystemError("epoll_ctl"))")
    }

    func remove(_ watch: Watch) {
        var event = epoll_event()
        epoll_ctl(epoll, EPOLL_CTL_DEL, watch.descriptor, &event)
        watches[Int(watch.descriptor)] = nil
    }

    /// Calls the handlers of the descriptors that are ready.
    ///
    /// - Parameter mayWait: whether to sleep until one is ready.
    func handleEvents(mayWait: Bool) {
        let count = epoll_wait(epoll, events.baseAddress, Int32(Self.eventsAtOnce), mayWait ? -1 : 0)
        guard count > 0 else { return }
        for event in events[..<Int(count)] {
            let descriptor = Int(UInt32(truncatingIfNeeded: event.data.u64))
            // An earlier handler may have cancelled this watch. A new watch may have the same descriptor number since
            // then.
            guard let watch = watches[descriptor], watch.generation == UInt32(event.data.u64 >> 32) else { continue }
            watch.handler(Interest(rawValue: event.events))
        }
    }

    // MARK: Deadlines

    func schedule(at time: MonotonicTime, action: @escaping @ReactorActor () -> Void) -> Timer {
        let timer = Timer(time: time, action: action)
        timers.insert(timer)
        arm()
        return timer
    }

    /// Counts a cancelled timer.
    ///
    /// Cancelled timers stay in the heap until their time or until they are more than half of it.
    func timerWasCancelled() {
        cancelledTimers += 1
        guard cancelledTimers > 1024, cancelledTimers > timers.count / 2 else { return }
        timers = Heap(timers.unordered.filter { !$0.isCancelled })
        cancelledTimers = 0
    }

    private func runTimers() {
        armed = nil
        let now = MonotonicTime.now
        while let earliest = timers.min, earliest.time <= now || earliest.isCancelled {
            timers.removeMin()
            if earliest.isCancelled { cancelledTimers -= 1 } else { earliest.fire() }
        }
        arm()
    }

    private func arm() {
        guard let earliest = timers.min?.time, armed.map({ earliest < $0 }) ?? true else { return }
        armed = earliest
        // Zero would disarm the timerfd.
        let nanoseconds = max(earliest.nanoseconds, 1)
        var setting = itimerspec()
        setting.it_value.tv_sec = time_t(clamping: nanoseconds / 1_000_000_000)
        setting.it_value.tv_nsec = Int(nanoseconds % 1_000_000_000)
        let result = timerfd_settime(timer, Int32(TFD_TIMER_ABSTIME), &setting, nil)
        precondition(result == 0, "\(SystemError("timerfd_settime"))")
    }
}

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
