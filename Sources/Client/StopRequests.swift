internal import CLinux
internal import Glibc
internal import Reactor

/// The signals that ask a client to stop, as events.
///
/// They are blocked and come by a descriptor (signalfd(2)), so that each wait of a client, for the network, for a pipe or for
/// time to pass, hears of them and none is interrupted in the middle of something.
public final class StopRequests {
    private let descriptor: Descriptor
    /// What is done about one: by default the client stops.
    var handler: (Int32) throws(ClientError) -> Void = { signal throws(ClientError) in
        throw ClientError.stopped(signal: signal)
    }

    /// Blocks the signals in this thread and so in all that it will start.
    ///
    /// To be called before there are others. Nobody to write to shows as EPIPE from then on, not as SIGPIPE.
    ///
    /// - Parameter signals: which ones, such as SIGINT.
    /// - Throws: that there is no descriptor left.
    public init(_ signals: [Int32]) throws(ClientError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
        let raw = sandglass_signal_descriptor(&set)
        guard raw >= 0 else { throw .local(SystemError("signalfd").description) }
        descriptor = Descriptor(owning: raw)
    }

    /// Readable when a signal has come.
    var raw: Int32 { descriptor.raw }

    /// Does what is to be done about those that have come.
    func deliver() throws(ClientError) {
        while true {
            let signal = sandglass_next_signal(descriptor.raw)
            guard signal != 0 else { return }
            try handler(signal)
        }
    }

    /// Waits until a descriptor is ready, if one is given, or the time is over.
    ///
    /// - Returns: whether the descriptor is ready.
    @discardableResult
    func wait(for other: Int32 = -1, events: Int32 = 0, atMost time: Duration? = nil) throws(ClientError) -> Bool {
        let end = time.map { MonotonicTime.now.advanced(by: $0) }
        while true {
            let left = end.map { Int32(clamping: $0.since(.now).wholeNanoseconds / 1_000_000 + 1) } ?? -1
            var polled = [
                pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: other, events: Int16(events), revents: 0),
            ]
            _ = poll(&polled, 2, left)
            if polled[0].revents != 0 { try deliver() }
            if polled[1].revents != 0 { return true }
            if let end, end <= .now { return false }
        }
    }
}
