internal import DequeModule
internal import Glibc
internal import System

/// The threads that hash and write blobs, so that a busy disk delays no other work.
final class BlobIOPool: @unchecked Sendable {
    typealias Job = @Sendable () -> Void

    /// The number of threads.
    ///
    /// Hashing and writing use up to one core each. More threads would only compete for memory bandwidth and the disk.
    private static let count = 2

    // SAFETY: every variable is accessed only under the mutex, except `threads`, which the store's owner uses from one
    // thread at a time.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs = Deque<Job>()
    private var isClosing = false
    private var threads: [NamedThread] = []

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Starts the threads with the privileges that the calling thread has now.
    func start() {
        guard threads.isEmpty else { return }
        threads = (0..<Self.count).map { _ in NamedThread("blobs") { [self] in work() } }
    }

    /// Queues a job; jobs start in the order of these calls.
    func perform(_ job: @escaping Job) {
        pthread_mutex_lock(mutex)
        jobs.append(job)
        pthread_mutex_unlock(mutex)
        pthread_cond_signal(condition)
    }

    /// Runs all queued jobs and ends the threads.
    func close() {
        pthread_mutex_lock(mutex)
        isClosing = true
        pthread_mutex_unlock(mutex)
        pthread_cond_broadcast(condition)
        for thread in threads { thread.join() }
        if threads.isEmpty { work() }
        threads = []
    }

    private func work() {
        while let job = next() { job() }
    }

    private func next() -> Job? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while jobs.isEmpty, !isClosing { pthread_cond_wait(condition, mutex) }
        return jobs.popFirst()
    }
}
