internal import CLinux
internal import Glibc
internal import Synchronization
package import System

/// The global actor of the thread that makes all decisions about runs.
///
/// The end of a command, a deadline, a cancel and a client's disconnect arrive here one after the other, as events of
/// one epoll loop. Code isolated to this actor runs on that loop's thread and on no other. The compiler therefore
/// refuses a second thread that could disagree about the order of two events.
///
/// The thread starts with the first use and lasts as long as the process. Code on this thread must not block.
@globalActor
package actor ReactorActor {
    /// The only instance.
    package static let shared = ReactorActor()

    private nonisolated let executor: ReactorExecutor

    private init() {
        executor = ReactorExecutor()
    }

    /// The executor that runs jobs on the loop's thread.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Calls `handler` whenever a descriptor is ready, until the watch is cancelled.
    ///
    /// - Parameters:
    ///   - descriptor: a pollable descriptor (not a regular file); it must stay open while it is watched.
    ///   - interest: the events to wait for.
    ///   - handler: called with the events that occurred.
    /// - Returns: the watch, which lasts until it is cancelled.
    /// - Throws: the error of epoll_ctl(2).
    @ReactorActor
    package static func watch(
        _ descriptor: Int32,
        for interest: Interest,
        handler: @escaping @ReactorActor (Interest) -> Void
    ) throws(SystemError) -> Watch {
        try EventLoop.shared.watch(descriptor, for: interest, handler: handler)
    }

    /// Calls `action` once, at `time` or as soon as the thread runs after it, unless the timer is cancelled before.
    @ReactorActor
    package static func schedule(at time: MonotonicTime, action: @escaping @ReactorActor () -> Void) -> Timer {
        EventLoop.shared.schedule(at: time, action: action)
    }

    // `preconditionIsolated()` would make the runtime query the main thread before this executor.
    @usableFromInline
    static func checkIsolated() {
        shared.executor.checkIsolated()
    }

    /// Runs an isolated operation from a callback whose isolation the compiler cannot know.
    ///
    /// A call on any thread but the loop's stops the program.
    @inlinable
    package static func assumeIsolated<Value>(_ operation: @ReactorActor () throws -> Value) rethrows -> Value {
        checkIsolated()
        // SAFETY: the two function types differ only in their isolation, which the line above has checked. The standard
        // library implements `MainActor.assumeIsolated` in the same way.
        return try withoutActuallyEscaping(operation) { operation in
            try unsafeBitCast(operation, to: (() throws -> Value).self)()
        }
    }
}

/// The executor that runs the reactor's jobs and its event loop on one thread of its own.
///
/// A job from another thread wakes the loop through an eventfd(2). A job from the loop's own thread needs no wake-up,
/// because the loop looks at the queue before it sleeps.
final class ReactorExecutor: SerialExecutor {
    private let jobs = Lock([UnownedJob]())
    /// The loop's thread, or 0 until it runs.
    ///
    /// An atomic and not a lock, because every request reads it.
    private let thread = Atomic<pthread_t>(0)
    private let wakeUp: Int32

    init() {
        wakeUp = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(wakeUp >= 0, "eventfd: \(SystemError("eventfd"))")
        // `ReactorActor.shared` keeps the executor, and therefore the thread, for the life of the process.
        _ = NamedThread("reactor") { [self] in run() }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        if !isOnThread { eventfd_write(wakeUp, 1) }
    }

    func checkIsolated() {
        precondition(isOnThread, "not on the reactor's thread")
    }

    func isIsolatingCurrentContext() -> Bool? { isOnThread }

    /// True on the loop's thread.
    ///
    /// A relaxed load is enough: a thread finds its own number here only if it has stored that number itself.
    private var isOnThread: Bool { thread.load(ordering: .relaxed) == pthread_self() }

    private func run() -> Never {
        thread.store(pthread_self(), ordering: .relaxed)
        ReactorActor.assumeIsolated { EventLoop.shared.listen(to: wakeUp) }
        while true {
            runJobs()
            // Jobs of this thread write no wake-up. Jobs that arrived in the meantime run after the events.
            let isIdle = jobs.withLock(\.isEmpty)
            ReactorActor.assumeIsolated { EventLoop.shared.handleEvents(mayWait: isIdle) }
        }
    }

    /// Runs the jobs that are queued now.
    private func runJobs() {
        let queued = jobs.withLock { jobs in
            let queued = jobs
            if !queued.isEmpty { jobs.removeAll(keepingCapacity: true) }
            return queued
        }
        for job in queued { job.runSynchronously(on: asUnownedSerialExecutor()) }
    }
}

/// Returns a completion that runs `completion` on the reactor, for a store that calls completions on its own threads.
///
/// This is the only place where a result of the store changes threads. It costs one job on the reactor.
@inlinable package func onReactor<Value: Sendable>(
    _ completion: @escaping @ReactorActor (Value) -> Void
) -> @Sendable (Value) -> Void {
    { value in Task { @ReactorActor in completion(value) } }
}

/// Returns a completion without a value that runs `completion` on the reactor.
@inlinable package func onReactor(_ completion: @escaping @ReactorActor () -> Void) -> @Sendable () -> Void {
    { Task { @ReactorActor in completion() } }
}
