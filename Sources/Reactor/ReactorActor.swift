package import System

/// The global actor of the thread that makes all decisions about runs.
///
/// The end of a command, a deadline, a cancel and a client's disconnect arrive here one after the other, as events of
/// one epoll loop. Code isolated to this actor runs on that loop's thread and on no other. The compiler therefore
/// refuses a second thread that could disagree about the order of two events.
///
/// The thread starts with the first use and lasts as long as the process. Code on this thread must not block.
@globalActor
package actor ReactorActor {
    /// The only instance.
    package static let shared = ReactorActor()

    private nonisolated let executor: ReactorExecutor

    private init() {
        executor = ReactorExecutor()
    }

    /// The executor that runs jobs on the loop's thread.
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Calls `handler` whenever a descriptor is ready, until the watch is cancelled.
    ///
    /// - Parameters:
    ///   - descriptor: a pollable descriptor (not a regular file); it must stay open while it is watched.
    ///   - interest: the events to wait for.
    ///   - handler: called with the events that occurred.
    /// - Returns: the watch, which lasts until it is cancelled.
    /// - Throws: the error of epoll_ctl(2).
    @ReactorActor
    package static func watch(
        _ descriptor: Int32,
        for interest: Interest,
        handler: @escaping @ReactorActor (Interest) -> Void
    ) throws(SystemError) -> Watch {
        try EventLoop.shared.watch(descriptor, for: interest, handler: handler)
    }

    /// Calls `action` once, at `time` or as soon as the thread runs after it, unless the timer is cancelled before.
    @ReactorActor
    package static func schedule(at time: MonotonicTime, action: @escaping @ReactorActor () -> Void) -> Timer {
        EventLoop.shared.schedule(at: time, action: action)
    }

    // `preconditionIsolated()` would make the runtime query the main thread before this executor.
    @usableFromInline
    static func checkIsolated() {
        shared.executor.checkIsolated()
    }

    /// Runs an isolated operation from a callback whose isolation the compiler cannot know.
    ///
    /// A call on any thread but the loop's stops the program.
    @inlinable
    package static func assumeIsolated<Value>(_ operation: @ReactorActor () throws -> Value) rethrows -> Value {
        checkIsolated()
        // SAFETY: the two function types differ only in their isolation, which the line above has checked. The standard
        // library implements `MainActor.assumeIsolated` in the same way.
        return try withoutActuallyEscaping(operation) { operation in
            try unsafeBitCast(operation, to: (() throws -> Value).self)()
        }
    }
}
