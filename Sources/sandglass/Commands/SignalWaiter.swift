internal import Glibc

/// Blocked signals that the main thread receives by waiting for them (sigwait(3)).
///
/// The signals never interrupt a system call. Client commands, which wait for network and signals in one thread, use
/// `Client.SignalSource` instead.
struct SignalWaiter {
    private var set = sigset_t()

    /// Blocks the signals in this thread and in all threads that it starts later, and ignores SIGPIPE.
    ///
    /// Call this before the program has other threads.
    init(_ signals: [Int32]) {
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        // A write to a closed connection or pipe fails with EPIPE instead.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Waits for the next signal and returns it.
    mutating func next() -> Int32 {
        var signal: Int32 = 0
        while sigwait(&set, &signal) != 0 {}
        return signal
    }
}
