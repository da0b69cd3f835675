internal import Glibc

/// A mutual exclusion around a value.
///
/// pthread_mutex_t and not `Synchronization.Mutex`: the thread sanitizer knows the first and reports false races for the
/// second.
final class Lock<Value>: @unchecked Sendable {
    // SAFETY: the value is reached under the mutex alone, which is what makes this class sendable.
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }
}
