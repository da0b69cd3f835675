internal import Glibc

/// A mutual exclusion around a value.
///
/// pthread_mutex_t and not `Synchronization.Mutex`: the thread sanitizer knows the first and reports false races for the
/// second.
public final class Lock<Value>: @unchecked Sendable {
    // SAFETY: the value is reached under the mutex alone, which is what makes this class sendable.
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    /// A lock around a value.
    public init(_ value: sending Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Does something with the value while nobody else can.
    public func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }
}
