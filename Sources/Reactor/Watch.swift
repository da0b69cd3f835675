internal import CLinux

/// The events of a watch (epoll_ctl(2)).
package struct Interest: OptionSet, Sendable {
    /// The kernel's bits, `EPOLLIN` and so on.
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Bytes can be read, or the end of the stream has been reached.
    package static let readable = Interest(rawValue: EPOLLIN.rawValue)
    /// Bytes can be written.
    package static let writable = Interest(rawValue: EPOLLOUT.rawValue)
    /// The other side has closed.
    ///
    /// The kernel always reports hang-ups, so no watch needs to request them.
    package static let hangUp = Interest(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
}

/// A descriptor that the reactor waits for, and the handler of its events.
@ReactorActor
package final class Watch {
    let descriptor: Int32
    let generation: UInt32
    let handler: @ReactorActor (Interest) -> Void
    private var interest: Interest
    private var active = true

    init(
        descriptor: Int32,
        generation: UInt32,
        interest: Interest,
        handler: @escaping @ReactorActor (Interest) -> Void
    ) {
        self.descriptor = descriptor
        self.generation = generation
        self.interest = interest
        self.handler = handler
    }

    var event: epoll_event {
        var event = epoll_event()
        event.events = interest.rawValue
        event.data.u64 = UInt64(generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        return event
    }

    /// Replaces the events to wait for.
    ///
    /// Hang-ups are always reported.
    package func change(to interest: Interest) {
        guard active, interest != self.interest else { return }
        self.interest = interest
        EventLoop.shared.change(self)
    }

    /// Ends the watch.
    ///
    /// The handler is not called again. Must be called before the descriptor is closed.
    package func cancel() {
        guard active else { return }
        active = false
        EventLoop.shared.remove(self)
    }
}
