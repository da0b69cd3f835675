import CLinux
import Dispatch
import Glibc
import HTTPServer
import Synchronization
import System
import TestSupport
import Testing

/// The root of all test suites with sockets.
///
/// Its tests run one after the other, because some count this process's descriptors.
@Suite(.serialized) struct ServerTests {}

/// Objects that a test's handler keeps between its calls, on the server's thread.
final class HandlerFixture {
    var waiting: [Exchange] = []
    var streams: [ResponseStream] = []
    var prepared: PreparedResponse?
}

/// A real server on its own thread, driven by an epoll loop as in production.
final class ServerThread: Sendable {
    typealias Handler = @Sendable (Exchange, HandlerFixture) -> Void
    typealias Bodies = @Sendable (Exchange, HandlerFixture) -> BodyDecision
    private typealias Work = @Sendable (HTTPDaemon, HandlerFixture) -> Bool

    /// The time after which a test fails because an event has not happened.
    static let timeout = DispatchTimeInterval.seconds(20)

    let port: UInt16
    let address: String
    private let shared: Shared

    /// The state that both threads share.
    private final class Shared: Sendable {
        /// Closures to call after each run() of the server, until they return true.
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
            let fixture = HandlerFixture()
            do throws(HTTPServerError) {
                let server = try HTTPDaemon(
                    configuration: configuration,
                    bodies: { bodies($0, fixture) },
                    handler: { handler($0, fixture) }
                )
                outcome.withLock { $0 = .success((server.port, server.address)) }
                started.signal()
                Self.loop(server, fixture, shared)
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

    /// Runs `body` on the server's thread and returns its result.
    func perform<T: Sendable>(_ body: @escaping @Sendable (HTTPDaemon, HandlerFixture) -> T) throws -> T {
        let result = Mutex<T?>(nil)
        let box = Box(result: { value in result.withLock { $0 = value } })
        try wait { server, fixture in
            box.result(body(server, fixture))
            return true
        }
        return try #require(result.withLock { $0 })
    }

    /// Waits until a condition is true after a run() of the server.
    func wait(until condition: @escaping @Sendable (HTTPDaemon, HandlerFixture) -> Bool) throws {
        let done = DispatchSemaphore(value: 0)
        shared.work.withLock {
            $0.append { server, fixture in
                guard condition(server, fixture) else { return false }
                done.signal()
                return true
            }
        }
        eventfd_write(shared.wakeUp, 1)
        try #require(done.wait(timeout: .now() + Self.timeout) == .success, "the condition did not become true in time")
    }

    /// Stops the server and its thread.
    func stop() throws {
        shared.isOver.withLock { $0 = true }
        eventfd_write(shared.wakeUp, 1)
        try #require(
            shared.ended.wait(timeout: .now() + Self.timeout) == .success,
            "the server's thread did not end in time"
        )
    }

    private struct Box<T>: Sendable {
        let result: @Sendable (T) -> Void
    }

    private static func loop(_ server: HTTPDaemon, _ fixture: HandlerFixture, _ shared: Shared) {
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
            let unfinished = work.filter { !$0(server, fixture) }
            shared.work.withLock { $0 = unfinished + $0 }
        }
        server.stop()
        fixture.waiting = []
        fixture.streams = []
    }
}

/// Starts a thread without a run loop or a queue.
private func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Start {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    // SAFETY: the thread, which starts exactly once, releases the object.
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
    precondition(error == 0, "pthread_create failed with error \(error)")
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

/// The records of a server's completed requests, in the order of their completion.
final class CompletionRecorder: Sendable {
    private let requests = Mutex<[CompletedRequest]>([])

    var all: [CompletedRequest] { requests.withLock { $0 } }

    func add(_ request: CompletedRequest) { requests.withLock { $0.append(request) } }
}

extension HTTPClient {
    /// Creates a client and connects it to a server, from one of this machine's own addresses if one is given.
    convenience init(_ server: ServerThread, from source: String? = nil) throws(SystemError) {
        try self.init(port: server.port, from: source)
    }
}
