/// The one thread that decides.
///
/// The end of a command, a deadline, a cancel and a client that hangs up all arrive here, one after the other, as events
/// of one epoll loop. Whatever is isolated to this actor runs on that loop's thread and on no other: the compiler
/// refuses a second thread that might disagree about what came first.
///
/// The thread starts with the first use and lasts as long as the process. Nothing on it may block.
@globalActor
public actor Reactor {
    /// The actor.
    public static let shared = Reactor()

    private nonisolated let executor: ReactorExecutor

    private init() {
        executor = ReactorExecutor()
    }

    /// The loop's thread.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Calls back whenever a descriptor is ready, until the watch is cancelled.
    ///
    /// - Parameters:
    ///   - descriptor: a pollable descriptor (not a regular file); it must stay open while it is watched.
    ///   - interest: what to wait for.
    ///   - handler: told what has come.
    /// - Returns: the watch, which ends when it is cancelled.
    /// - Throws: why the kernel does not watch the descriptor.
    @Reactor
    public static func watch(
        _ descriptor: Int32,
        for interest: Interest,
        handler: @escaping @Reactor (Interest) -> Void
    ) throws(SystemError) -> Watch {
        try EventLoop.shared.watch(descriptor, for: interest, handler: handler)
    }

    /// Calls back once, at a time or as soon after it as the thread runs, unless it is cancelled before.
    @Reactor
    public static func schedule(at time: MonotonicTime, action: @escaping @Reactor () -> Void) -> Timer {
        EventLoop.shared.schedule(at: time, action: action)
    }

    // Not `preconditionIsolated()`, which asks the runtime for the main thread first, and this executor then.
    @usableFromInline
    static func checkIsolated() {
        shared.executor.checkIsolated()
    }

    /// Runs an operation that must be isolated, from a callback that the compiler cannot know to be: it stops the
    /// program when this is not the loop's thread.
    @inlinable
    public static func assumeIsolated<Value>(_ operation: @Reactor () throws -> Value) rethrows -> Value {
        checkIsolated()
        // SAFETY: the two function types differ in their isolation alone, and the line above has checked it. This is how
        // the standard library implements `MainActor.assumeIsolated`.
        return try withoutActuallyEscaping(operation) { operation in
            try unsafeBitCast(operation, to: (() throws -> Value).self)()
        }
    }
}
