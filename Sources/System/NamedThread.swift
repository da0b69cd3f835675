internal import CLinux
internal import Glibc

/// A thread of the operating system, for work that blocks, such as waiting for events or for a disk.
///
/// It blocks all signals: they go to the program's other threads, and a write to a pipe without a reader returns EPIPE.
package struct NamedThread: Sendable {
    /// The arguments of a new thread.
    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(_ name: String, _ run: @escaping @Sendable () -> Void) {
            (self.name, self.run) = (name, run)
        }
    }

    private let thread: pthread_t

    /// Starts a thread with the current privileges of the calling thread.
    ///
    /// - Parameters:
    ///   - name: the name that ps(1) and debuggers show, 15 bytes at most.
    ///   - run: the thread's body; the thread ends when the body returns.
    package init(_ name: String, _ run: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        // SAFETY: the new thread releases it, and a failure to start one stops the program.
        let context = Unmanaged.passRetained(Body(name, run)).toOpaque()
        let error = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                // SAFETY: retained above, once.
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

    /// Waits until the thread has ended.
    ///
    /// May be called once.
    package func join() { pthread_join(thread, nil) }
}
