internal import CLinux
internal import Glibc
internal import Locks
internal import Synchronization

/// Runs the reactor's jobs and its event loop on one thread of its own.
///
/// A job enqueued from another thread wakes the loop through an eventfd(2); one from the loop's own thread is seen
/// before it sleeps again.
final class ReactorExecutor: SerialExecutor {
    private let inbox = Lock([UnownedJob]())
    /// The loop's thread, 0 until it runs; without a lock, because every request asks for it.
    private let thread = Atomic<pthread_t>(0)
    private let bell: Int32

    init() {
        bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(bell >= 0, "eventfd: \(SystemError("eventfd"))")
        // It lives as long as the process (`Reactor.shared`), and so does its thread.
        _ = NamedThread("reactor") { [self] in run() }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        inbox.withLock { $0.append(job) }
        if !isOnThread { eventfd_write(bell, 1) }
    }

    func checkIsolated() {
        precondition(isOnThread, "not on the reactor's thread")
    }

    func isIsolatingCurrentContext() -> Bool? { isOnThread }

    /// Relaxed: a thread can only find its own number here if it has written it itself.
    private var isOnThread: Bool { thread.load(ordering: .relaxed) == pthread_self() }

    private func run() -> Never {
        thread.store(pthread_self(), ordering: .relaxed)
        Reactor.assumeIsolated { EventLoop.shared.listen(to: bell) }
        while true {
            runJobs()
            // Jobs of this very thread ring no bell; those that came meanwhile have their turn after the events.
            let isIdle = inbox.withLock(\.isEmpty)
            Reactor.assumeIsolated { EventLoop.shared.handleEvents(mayWait: isIdle) }
        }
    }

    /// Runs what is enqueued by now.
    private func runJobs() {
        let jobs = inbox.withLock { inbox in
            let jobs = inbox
            if !jobs.isEmpty { inbox.removeAll(keepingCapacity: true) }
            return jobs
        }
        for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
    }
}
