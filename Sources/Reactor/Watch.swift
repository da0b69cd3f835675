internal import CLinux

/// A descriptor that the reactor waits for.
@Reactor
public final class Watch {
    let descriptor: Int32
    let generation: UInt32
    let handler: @Reactor (Interest) -> Void
    private var interest: Interest
    private var active = true

    init(
        descriptor: Int32,
        generation: UInt32,
        interest: Interest,
        handler: @escaping @Reactor (Interest) -> Void
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

    /// Waits for something else from now on.
    ///
    /// Hang-ups are always told.
    public func change(to interest: Interest) {
        guard active, interest != self.interest else { return }
        self.interest = interest
        EventLoop.shared.change(self)
    }

    /// Ends it: the handler is not called again.
    ///
    /// To be called before the descriptor is closed.
    public func cancel() {
        guard active else { return }
        active = false
        EventLoop.shared.remove(self)
    }
}
