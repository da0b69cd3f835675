internal import CLinux
internal import Glibc
internal import Synchronization
internal import System

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
