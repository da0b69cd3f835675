internal import HTTPServer
public import Reactor
public import Service

/// The HTTP side of the service: libmicrohttpd, driven by the reactor.
@Reactor
public final class APIServer {
    private let server: HTTPServer
    private let loop: ServerLoop
    private var watch: Watch?

    /// The address that it listens at.
    public var address: String { server.address }
    /// The port that it listens at.
    public var port: UInt16 { server.port }

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - address: an IPv4 or IPv6 literal, or `localhost`.
    ///   - port: 0 takes a free one.
    ///   - maxima: the most that a request may ask for.
    ///   - maximumBodyBytes: the largest body of a request.
    ///   - maximumConnections: how many connections there may be at once; further ones wait.
    ///   - capabilities: what it says that it offers.
    ///   - service: what runs the commands.
    ///   - observation: how it is watched.
    /// - Throws: why it cannot listen.
    public init(
        address: String,
        port: UInt16,
        maxima: RequestMaxima,
        maximumBodyBytes: Int,
        maximumConnections: Int,
        capabilities: Capabilities,
        service: RunService,
        observation: Observation = Observation()
    ) throws(ListenError) {
        var configuration = HTTPServerConfiguration(address: address, port: port)
        configuration.maximumBodyBytes = maximumBodyBytes
        configuration.maximumConnections = maximumConnections
        configuration.problem = { status, detail in Problem(status: status, detail: detail).response }
        let loop = ServerLoop()
        let observer = RequestObserver(observation)
        observer.openConnections = { loop.server?.openConnections ?? 0 }
        configuration.onAnswer = RequestObserver.name
        configuration.onCompletion = { request in Reactor.assumeIsolated { observer.completed(request) } }
        let handler = APIHandler(
            service: service,
            maxima: maxima,
            capabilities: CapabilitiesDocument(
                capabilities: capabilities,
                maxima: maxima,
                maximumBodyBytes: maximumBodyBytes
            ),
            policy: RequestPolicy(listeningAt: address),
            observer: observer,
            answered: { loop.pump() }
        )
        do throws(HTTPServerError) {
            server = try HTTPServer(configuration: configuration) { exchange in
                Reactor.assumeIsolated { handler.handle(exchange) }
            }
        } catch {
            throw ListenError(description: error.description)
        }
        self.loop = loop
        loop.server = server
        do {
            watch = try Reactor.watch(server.descriptor, for: .readable) { _ in loop.pump() }
        } catch {
            throw ListenError(description: error.description)
        }
        loop.pump()
    }

    /// Accepts no more connections; those that are open go on.
    public func stopAccepting() {
        server.stopAccepting()
        loop.pump()
    }

    /// Closes every connection.
    public func stop() {
        loop.pump()
        watch?.cancel()
        watch = nil
        loop.server = nil
        server.stop()
    }
}
