internal import Glibc
package import HTTPServer
package import Identity
package import Reactor
package import RunAPI
package import Service
internal import System

/// The HTTP API of the service: libmicrohttpd, driven by the reactor.
@ReactorActor
package final class APIServer {
    private let server: HTTPDaemon
    private let dispatcher: RequestDispatcher
    private let service: RunService
    private let loop: ServerLoop
    private var watch: Watch?

    /// The principals and their tokens; `nil` if every client may use the whole API.
    ///
    /// A change takes effect with the next request.
    package var tokens: TokenTable? {
        didSet {
            dispatcher.authentication.tokens = tokens
            service.setPrincipals(tokens?.principals ?? [])
        }
    }

    /// The address on which the server listens.
    package var address: String { server.address }
    /// The port on which the server listens.
    package var port: UInt16 { server.port }

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - http: the address and the limits of connections. The server sets the callbacks.
    ///   - rules: the host names of the server and the origins of pages that may use it.
    ///   - tokens: the principals and their tokens; `nil` if every client may use the whole API.
    ///   - maxima: the maximum values in requests.
    ///   - capabilities: the content of `GET /capabilities`.
    ///   - service: the service that executes runs.
    ///   - telemetry: the destinations of metrics and the access log.
    ///   - heartbeat: the time without an event after which an event stream sends a heartbeat, for proxies that
    ///     close idle connections.
    /// - Throws: `ListenError` if the server cannot listen.
    package init(
        http: HTTPServerConfiguration,
        rules: AccessRules,
        tokens: TokenTable?,
        maxima: RequestLimits,
        capabilities: Capabilities,
        service: RunService,
        telemetry: RequestTelemetry = RequestTelemetry(),
        heartbeat: Duration = .seconds(15)
    ) throws(ListenError) {
        let loop = ServerLoop()
        let observer = RequestObserver(telemetry)
        observer.openConnections = { loop.server?.openConnections ?? 0 }
        let dispatcher = RequestDispatcher(
            service: service,
            maxima: maxima,
            capabilities: CapabilitiesDocument(
                capabilities: capabilities,
                maxima: maxima,
                maximumBodyBytes: http.maximumBodyBytes,
                maximumBlobBytes: service.blobs.maximumBytes
            ),
            policy: RequestPolicy(listeningAt: http.address, rules),
            publicAddress: PublicAddress(rules),
            observer: observer,
            heartbeat: heartbeat,
            maximumBodyBytes: http.maximumBodyBytes,
            loop: loop
        )
        var configuration = http
        configuration.problem = { status, detail in Problem(status: status, detail: detail).response }
        configuration.onResponse = RequestObserver.addRequestID
        configuration.onCompletion = { request in ReactorActor.assumeIsolated { observer.requestCompleted(request) } }
        do throws(HTTPServerError) {
            server = try HTTPDaemon(
                configuration: configuration,
                bodies: { exchange in ReactorActor.assumeIsolated { dispatcher.receiveBody(of: exchange) } },
                handler: { exchange in ReactorActor.assumeIsolated { dispatcher.handle(exchange) } }
            )
        } catch {
            throw ListenError(error)
        }
        (self.loop, self.dispatcher, self.service) = (loop, dispatcher, service)
        self.tokens = tokens
        dispatcher.authentication.tokens = tokens
        service.setPrincipals(tokens?.principals ?? [])
        loop.server = server
        do {
            watch = try ReactorActor.watch(server.descriptor, for: .readable) { _ in loop.run() }
        } catch {
            throw ListenError(description: error.description)
        }
        loop.run()
    }

    /// Stops accepting connections.
    ///
    /// Open connections continue.
    package func stopAccepting() {
        server.stopAccepting()
        loop.run()
    }

    /// Closes all connections.
    package func stop() {
        loop.run()
        watch?.cancel()
        watch = nil
        loop.server = nil
        server.stop()
    }
}

/// The reason why a server cannot listen.
package struct ListenError: Error, CustomStringConvertible {
    /// One line of text.
    package let description: String
}

extension ListenError {
    fileprivate init(_ error: HTTPServerError) {
        let advice = error.errno == EADDRINUSE ? ". Stop the other server, or choose another port with --listen" : ""
        self.init(description: error.description + advice)
    }
}

/// The loop that runs the HTTP server when its descriptor is ready, when its timeout is over, and when a response is
/// ready to be sent.
@ReactorActor
final class ServerLoop {
    var server: HTTPDaemon?
    private var timer: Timer?
    private var timerTime = MonotonicTime(nanoseconds: .max)
    private var isRunning = false
    private var isRunDue = false

    /// The maximum time of one turn while the server always has more to send.
    private static let maximumTurn = Duration.milliseconds(2)

    /// Runs the server, unless it is running: the current run then sends what is ready.
    func run() {
        guard !isRunning, let server else { return }
        isRunning = true
        defer { isRunning = false }
        server.run()
        if server.timeout == .zero {
            // A client that receives as fast as the server sends must not delay the commands.
            let end = MonotonicTime.now.advanced(by: Self.maximumTurn)
            repeat { server.run() } while server.timeout == .zero && MonotonicTime.now < end
        }
        if server.timeout == .zero { runSoon() } else { scheduleTimeout(of: server) }
    }

    /// Runs the server once, after the current work, for all streams that are woken until then.
    func runSoon() {
        guard !isRunDue else { return }
        isRunDue = true
        Task { @ReactorActor in
            self.isRunDue = false
            self.run()
        }
    }

    private func scheduleTimeout(of server: HTTPDaemon) {
        guard let timeout = server.timeout else { return }
        let time = MonotonicTime.now.advanced(by: timeout)
        // An earlier timer schedules the next one itself.
        guard time < timerTime else { return }
        timer?.cancel()
        timerTime = time
        timer = ReactorActor.schedule(at: time) { [weak self] in
            self?.timerTime = MonotonicTime(nanoseconds: .max)
            self?.run()
        }
    }
}
