internal import CLinux
internal import Glibc
internal import System

/// The stop signals of a client command as events.
///
/// The signals are blocked and arrive through a descriptor (signalfd(2)). Every wait of a client, for the network, for
/// a pipe or for time to pass, also waits for that descriptor. So no signal interrupts an operation.
package final class SignalSource {
    private let descriptor: Descriptor
    /// The reaction to a signal.
    ///
    /// By default it stops the client.
    var handler: (Int32) throws(ClientError) -> Void = { signal throws(ClientError) in
        throw ClientError.stopped(signal: signal)
    }

    /// Blocks the signals in this thread and in all threads that it starts later, and ignores SIGPIPE.
    ///
    /// Call this before the program has other threads. Afterwards a write to a closed pipe fails with EPIPE.
    ///
    /// - Parameter signals: The signals, such as SIGINT.
    /// - Throws: `local` if signalfd(2) fails.
    package init(_ signals: [Int32]) throws(ClientError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
        let raw = sandglass_signal_descriptor(&set)
        guard raw >= 0 else { throw .local(SystemError("signalfd").description) }
        descriptor = Descriptor(owning: raw)
    }

    /// The descriptor, which becomes readable when a signal arrives.
    var raw: Int32 { descriptor.raw }

    /// Calls the handler for every signal that has arrived.
    func deliver() throws(ClientError) {
        while true {
            let signal = sandglass_next_signal(descriptor.raw)
            guard signal != 0 else { return }
            try handler(signal)
        }
    }

    /// Waits until a descriptor is ready or the timeout expires, and delivers signals meanwhile.
    ///
    /// - Parameters:
    ///   - other: A descriptor; -1 for none.
    ///   - events: The events of poll(2) to wait for.
    ///   - timeout: The longest wait; `nil` for no limit.
    /// - Returns: Whether the descriptor is ready.
    /// - Throws: The errors of the signal handler.
    @discardableResult
    func wait(for other: Int32 = -1, events: Int32 = 0, timeout: Duration? = nil) throws(ClientError) -> Bool {
        let end = timeout.map { MonotonicTime.now.advanced(by: $0) }
        while true {
            let remaining = end.map { Int32(clamping: $0.since(.now).wholeNanoseconds / 1_000_000 + 1) } ?? -1
            var polled = [
                pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: other, events: Int16(events), revents: 0),
            ]
            _ = poll(&polled, 2, remaining)
            if polled[0].revents != 0 { try deliver() }
            if polled[1].revents != 0 { return true }
            if let end, end <= .now { return false }
        }
    }
}
