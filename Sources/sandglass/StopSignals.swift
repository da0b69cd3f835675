internal import Glibc

/// The signals that ask a program to stop.
///
/// They are waited for, on the main thread, and never interrupt anything.
struct StopSignals {
    private var set = sigset_t()

    /// Blocks them in this thread and so in all that it will start.
    ///
    /// To be called before there are others.
    init(_ signals: [Int32]) {
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        // A client or a reader that is gone shows as EPIPE where it is written to.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Waits for the next of them.
    mutating func next() -> Int32 {
        var signal: Int32 = 0
        while sigwait(&set, &signal) != 0 {}
        return signal
    }
}
