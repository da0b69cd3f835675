internal import DequeModule
internal import Glibc
internal import Locks

/// The threads on which blobs are written: a disk that is busy holds up nobody else.
final class BlobThreads: @unchecked Sendable {
    typealias Job = @Sendable () -> Void

    /// Hashing and writing take a processor each at most; more threads would only take memory's and the disk's turns.
    private static let count = 2

    // SAFETY: all variables are reached under the mutex alone, but for `threads`, which the store's owner uses from one thread at a
    // time.
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

    /// Starts the threads, which have the privileges that their maker has then.
    func start() {
        guard threads.isEmpty else { return }
        threads = (0..<Self.count).map { _ in NamedThread("blobs") { [self] in work() } }
    }

    /// Has something done, after all that was wished for before has begun.
    func perform(_ job: @escaping Job) {
        pthread_mutex_lock(mutex)
        jobs.append(job)
        pthread_mutex_unlock(mutex)
        pthread_cond_signal(condition)
    }

    /// Does what there is to do, and ends the threads.
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
