public import HTTPServer
public import Identity
public import Reactor
public import Service

/// The HTTP side of the service: libmicrohttpd, driven by the reactor.
@Reactor
public final class APIServer {
    private let server: HTTPServer
    private let handler: APIHandler
    private let service: RunService
    private let loop: ServerLoop
    private var watch: Watch?

    /// Who may ask, or `nil` for everybody.
    ///
    /// May be changed at any time: the next request is looked up in the new ones.
    public var tokens: TokenTable? {
        didSet {
            handler.authentication.tokens = tokens
            service.admit(tokens?.principals ?? [])
        }
    }

    /// The address that it listens at.
    public var address: String { server.address }
    /// The port that it listens at.
    public var port: UInt16 { server.port }

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - http: where, and how much it takes; how problems are told is put in here.
    ///   - rules: whom it answers.
    ///   - tokens: who may ask; `nil`: everybody, and nobody is told apart.
    ///   - maxima: the most that a request may ask for.
    ///   - capabilities: what it says that it offers.
    ///   - service: what runs the commands.
    ///   - observation: how it is watched.
    ///   - heartbeat: after how long without an event a stream of events says something all the same, for proxies that close
    ///     what is silent.
    /// - Throws: why it cannot listen.
    public init(
        http: HTTPServerConfiguration,
        rules: AccessRules,
        tokens: TokenTable?,
        maxima: RequestMaxima,
        capabilities: Capabilities,
        service: RunService,
        observation: Observation = Observation(),
        heartbeat: Duration = .seconds(15)
    ) throws(ListenError) {
        var configuration = http
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
                maximumBodyBytes: http.maximumBodyBytes
            ),
            policy: RequestPolicy(listeningAt: http.address, rules),
            observer: observer,
            heartbeat: heartbeat,
            answered: { loop.pump() },
            pumpSoon: { loop.pumpSoon() }
        )
        do throws(HTTPServerError) {
            server = try HTTPServer(
                configuration: configuration,
                bodies: { exchange in Reactor.assumeIsolated { handler.decide(exchange) } },
                handler: { exchange in Reactor.assumeIsolated { handler.handle(exchange) } }
            )
        } catch {
            throw ListenError(description: error.description)
        }
        (self.loop, self.handler, self.service) = (loop, handler, service)
        self.tokens = tokens
        handler.authentication.tokens = tokens
        service.admit(tokens?.principals ?? [])
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
