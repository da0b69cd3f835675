internal import Glibc

/// A value that one thread at a time can access.
///
/// It wraps pthread_mutex_t instead of `Synchronization.Mutex`, for which the thread sanitizer reports false races.
package final class Lock<Value>: @unchecked Sendable {
    // SAFETY: every access to the value holds the mutex.
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    /// Creates an unlocked lock around a value.
    package init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Calls `body` with the value while every other thread waits.
    package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }
}
