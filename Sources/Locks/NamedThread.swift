internal import CLinux
internal import Glibc

/// A thread of the operating system, for work that blocks: a wait for events, a disk.
///
/// Signals are not for it: they go to the program's other threads, and a pipe that nobody reads is an error here.
public struct NamedThread: Sendable {
    /// What the new thread takes with it.
    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            (self.name, self.run) = (name, run)
        }
    }

    private let thread: pthread_t

    /// Starts a thread, which has the privileges that its maker has now.
    ///
    /// - Parameters:
    ///   - name: what ps(1) and a debugger show, at most 15 bytes.
    ///   - run: what it does; it ends when that returns.
    public init(_ name: String, _ run: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        // SAFETY: taken, and released, by the thread itself, which there is if this does not stop the program.
        let context = Unmanaged.passRetained(Body(name, run)).toOpaque()
        let error = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                // SAFETY: what was retained above, once.
                let body = Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
                sandglass_name_thread(body.name)
                sandglass_block_signals()
                body.run()
                return nil
            },
            context
        )
        precondition(error == 0, "pthread_create: error \(error)")
        self.thread = thread
    }

    /// Waits until it has ended.
    ///
    /// To be called once.
    public func join() { pthread_join(thread, nil) }
}
