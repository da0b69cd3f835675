import CLinux
import Dispatch
import Glibc
import HTTPServer
import Synchronization
import Testing

/// What a test's handler keeps between its calls, on the server's thread.
final class Desk {
    var waiting: [Exchange] = []
    var streams: [ResponseStream] = []
    var prepared: PreparedResponse?
}

/// A real server on a thread of its own, driven by an epoll loop as its owner drives it.
final class ServerThread: Sendable {
    typealias Handler = @Sendable (Exchange, Desk) -> Void
    typealias Bodies = @Sendable (Exchange, Desk) -> BodyDecision
    private typealias Work = @Sendable (HTTPServer, Desk) -> Bool

    /// How long any wait of a test may take before it fails.
    static let patience = DispatchTimeInterval.seconds(20)

    let port: UInt16
    let address: String
    private let shared: Shared

    /// What both threads see.
    private final class Shared: Sendable {
        /// Done after each run() of the server, until it returns true.
        let work = Mutex<[Work]>([])
        let isOver = Mutex(false)
        let wakeUp = eventfd(0, Int32(EFD_CLOEXEC))
        let ended = DispatchSemaphore(value: 0)
    }

    init(
        _ configuration: HTTPServerConfiguration = HTTPServerConfiguration(),
        handler: @escaping Handler = { exchange, _ in exchange.respond(.make("hello")) },
        bodies: @escaping Bodies = { _, _ in .buffer }
    ) throws {
        let shared = Shared()
        self.shared = shared
        let started = DispatchSemaphore(value: 0)
        let outcome = Mutex<Result<(UInt16, String), HTTPServerError>?>(nil)
        startThread {
            let desk = Desk()
            do throws(HTTPServerError) {
                let server = try HTTPServer(
                    configuration: configuration,
                    bodies: { bodies($0, desk) },
                    handler: { handler($0, desk) }
                )
                outcome.withLock { $0 = .success((server.port, server.address)) }
                started.signal()
                Self.loop(server, desk, shared)
            } catch {
                outcome.withLock { $0 = .failure(error) }
                started.signal()
            }
            close(shared.wakeUp)
            shared.ended.signal()
        }
        started.wait()
        let result = try #require(outcome.withLock { $0 })
        if case .failure = result { shared.ended.wait() }
        (port, address) = try result.get()
    }

    /// Runs `body` on the server's thread.
    func perform<T: Sendable>(_ body: @escaping @Sendable (HTTPServer, Desk) -> T) throws -> T {
        let result = Mutex<T?>(nil)
        let box = Box(result: { value in result.withLock { $0 = value } })
        try wait { server, desk in
            box.result(body(server, desk))
            return true
        }
        return try #require(result.withLock { $0 })
    }

    /// Waits until a condition is true after some run() of the server.
    func wait(until condition: @escaping @Sendable (HTTPServer, Desk) -> Bool) throws {
        let done = DispatchSemaphore(value: 0)
        shared.work.withLock {
            $0.append { server, desk in
                guard condition(server, desk) else { return false }
                done.signal()
                return true
            }
        }
        eventfd_write(shared.wakeUp, 1)
        try #require(done.wait(timeout: .now() + Self.patience) == .success, "waited in vain")
    }

    /// Stops the server and its thread.
    func stop() throws {
        shared.isOver.withLock { $0 = true }
        eventfd_write(shared.wakeUp, 1)
        try #require(shared.ended.wait(timeout: .now() + Self.patience) == .success, "the thread did not end")
    }

    private struct Box<T>: Sendable {
        let result: @Sendable (T) -> Void
    }

    private static func loop(_ server: HTTPServer, _ desk: Desk, _ shared: Shared) {
        let poll = epoll_create1(Int32(EPOLL_CLOEXEC))
        defer { close(poll) }
        for descriptor in [server.descriptor, shared.wakeUp] {
            var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data(fd: descriptor))
            epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event)
        }
        var events = [epoll_event](repeating: epoll_event(), count: 2)
        while !shared.isOver.withLock({ $0 }) {
            let timeout = server.timeout.map { Int32(clamping: Int64($0 / .milliseconds(1))) } ?? -1
            let count = epoll_wait(poll, &events, Int32(events.count), timeout)
            if events.prefix(Int(max(count, 0))).contains(where: { $0.data.fd == shared.wakeUp }) {
                var value: eventfd_t = 0
                eventfd_read(shared.wakeUp, &value)
            }
            server.run()
            let work = shared.work.withLock { list in
                defer { list = [] }
                return list
            }
            let undone = work.filter { !$0(server, desk) }
            shared.work.withLock { $0 = undone + $0 }
        }
        server.stop()
        desk.waiting = []
        desk.streams = []
    }
}

/// Starts a thread without a run loop or a queue.
private func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Start {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    // SAFETY: the retain is given back by the thread, which starts exactly once.
    let start = Unmanaged.passRetained(Start(body)).toOpaque()
    let error = pthread_create(
        &thread,
        nil,
        { argument in
            // SAFETY: see above.
            argument.map { Unmanaged<Start>.fromOpaque($0).takeRetainedValue().body() }
            return nil
        },
        start
    )
    precondition(error == 0, "no thread")
    pthread_detach(thread)
}

extension Response {
    static func make(_ text: String, status: Int = 200) -> Response {
        Response(status: status, headers: [HeaderField("Content-Type", "text/plain")], body: .bytes(Array(text.utf8)))
    }
}

extension HTTPServerConfiguration {
    static func make(maximumBodyBytes: Int) -> HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration()
        configuration.maximumBodyBytes = maximumBodyBytes
        return configuration
    }
}
