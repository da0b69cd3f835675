internal import CLinux
internal import Glibc

/// The open connections: who waits for an answer, who has hung up, and who takes too long.
///
/// MHD misses a client that hangs up in two cases: while its connection is suspended, and when the end of
/// the stream arrives together with the last bytes before it (MHD is told of both by one event, reads the
/// bytes, and never looks again). So all sockets are watched here too.
final class Connections {
    let configuration: HTTPServerConfiguration
    /// Whether somebody wants to know how requests end.
    let tellsCompletions: Bool
    /// An epoll descriptor with all sockets: readable when somebody has hung up or wants to come in.
    let poll: Int32
    private let bodies: ((Exchange) -> BodyDecision)?
    private let handler: (Exchange) -> Void
    private let times: TimeLimits
    /// By socket, whose number stays its own until MHD has told us of its end.
    private var open: [Int32: Connection] = [:]
    private var byAddress: [SocketAddress.Network: Int] = [:]
    private var waiting: [Int32: Exchange] = [:]
    /// Those whose body may not go on at the moment.
    private var paused: [Int32: Exchange] = [:]
    /// The sockets whose client has closed at least its sending side.
    private var halfClosed: Set<Int32> = []
    /// Those of them on which that has not been acted upon.
    private var unsettled: Set<Int32> = []
    private var farewells: Farewells
    private var events = [epoll_event](repeating: epoll_event(), count: 64)
    private var readable: Set<Int32> = []
    /// Whether a connection was resumed that MHD has not looked at since.
    private(set) var hasResumed = false
    /// The time at which this round began.
    private(set) var now = MonotonicClock.now
    private var round = 0
    private var isStopping = false
    /// The bytes of all bodies that have come and whose requests are not over.
    private var bodyBytes = 0
    /// When somebody may have taken too long, at the earliest.
    private var nextLook: Duration?

    init(
        configuration: HTTPServerConfiguration,
        bodies: ((Exchange) -> BodyDecision)? = nil,
        handler: @escaping (Exchange) -> Void
    ) throws(HTTPServerError) {
        self.configuration = configuration
        tellsCompletions = configuration.onCompletion != nil
        self.bodies = bodies
        self.handler = handler
        times = TimeLimits(configuration: configuration)
        poll = epoll_create1(Int32(EPOLL_CLOEXEC))
        farewells = Farewells(poll: poll, mostBytes: max(2 * min(configuration.maximumBodyBytes, Int.max / 2), 1 << 20))
        guard poll >= 0 else {
            throw HTTPServerError(operation: .watch, subject: configuration.address, errno: errno)
        }
    }

    deinit {
        farewells.endAll()
        close(poll)
    }

    /// How many are open, idle ones included.
    var count: Int { open.count }

    /// How many of them are from the network of a client.
    func count(from address: SocketAddress) -> Int { byAddress[address.network] ?? 0 }

    // MARK: A round

    /// Finds out who has hung up, and who wants to come in.
    ///
    /// Called before MHD runs, since MHD closes sockets.
    func begin() {
        hasResumed = false
        now = MonotonicClock.now
        round += 1
        readable = []
        while true {
            let count = Int(epoll_wait(poll, &events, Int32(events.count), 0))
            for event in events[..<max(count, 0)] {
                let socket = event.data.fd
                if open[socket] != nil {
                    halfClosed.insert(socket)
                    unsettled.insert(socket)
                } else if farewells.has(socket) {
                    farewells.read(socket)
                } else {
                    readable.insert(socket)
                }
            }
            guard count == events.count else { return }
        }
    }

    /// Whether somebody waits to be accepted.
    func hasNewcomers(at listener: ListeningSocket) -> Bool { readable.contains(listener.descriptor) }

    /// Acts on who has hung up, and on who takes too long.
    ///
    /// Called after MHD has run, and so has read what came before the end of the stream.
    func end() {
        settleHangUps()
        guard let nextLook, nextLook <= now else { return }
        look()
    }

    /// How long nothing has to be done here.
    var timeout: Duration? {
        if hasResumed { return .zero }
        return nextLook.map { max($0 - MonotonicClock.now, .zero) }
    }

    private func settleHangUps() {
        guard !unsettled.isEmpty else { return }
        for socket in unsettled {
            if let exchange = waiting[socket] {
                unsettled.remove(socket)
                exchange.clientHungUp()
            } else if paused[socket] == nil, !hasUnreadBytes(socket) {
                unsettled.remove(socket)
                // Changes nothing but that MHD gets another event, and so reads the end of the stream.
                shutdown(socket, Int32(SHUT_RD))
            }
        }
    }

    private func hasUnreadBytes(_ socket: Int32) -> Bool {
        var byte: UInt8 = 0
        return recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
    }

    // MARK: From the first word about a connection to the last

    /// A connection was accepted.
    func opened(_ connection: Connection, from address: SocketAddress?) {
        let socket = connection.socket
        open[socket] = connection
        connection.network = address?.network
        if configuration.maximumConnectionsPerAddress > 0, let network = connection.network {
            byAddress[network, default: 0] += 1
        }
        // Edge-triggered: a hang-up is told once. A socket that cannot be watched is served like any other.
        var event = epoll_event(events: EPOLLRDHUP.rawValue | EPOLLET.rawValue, data: epoll_data(fd: socket))
        epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event)
        enter(.head, connection)
    }

    /// A connection is about to be closed, which ends its watch too.
    func closing(_ connection: Connection) {
        let socket = connection.socket
        open[socket] = nil
        halfClosed.remove(socket)
        unsettled.remove(socket)
        if configuration.maximumConnectionsPerAddress > 0, let network = connection.network {
            let left = (byAddress[network] ?? 1) - 1
            byAddress[network] = left > 0 ? left : nil
        }
        if hasUnreadableLine(connection) { answerEarly(connection, .malformed("The request line is malformed.")) }
        tellEarlyAnswer(connection)
        guard connection.lingers, !isStopping else { return }
        // MHD closes its descriptor; the socket lives on in ours. The watch would outlive it too.
        epoll_ctl(poll, EPOLL_CTL_DEL, socket, nil)
        let own = fcntl(socket, F_DUPFD_CLOEXEC, 0)
        if own >= 0 { linger(own) }
    }

    /// Whether MHD closes it because of a request line without a space: that is the one fault to which it says nothing.
    private func hasUnreadableLine(_ connection: Connection) -> Bool {
        guard !isStopping, !configuration.isEncrypted, !connection.hasLastWord, !connection.lingers,
            connection.phase == .head || connection.phase == .idle,
            // It ends with an answer, as the client or the answer wanted it.
            connection.requests == 0 || connection.lastRound != round
        else { return false }
        var byte: UInt8 = 0
        let count = recv(connection.socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        // Had the client ended the stream, or broken it, that would be MHD's reason; unless there were bytes before.
        if count > 0 || (count < 0 && errno == EAGAIN) { return true }
        guard count == 0, connection.requests == 0 else { return false }
        var progress = sandglass_tcp_progress()
        // The end counts as one byte, like everything that has a number in the stream.
        return sandglass_tcp_progress(connection.socket, &progress) == 0 && progress.received > 1
    }

    /// Lets a socket go when its client has read what was written.
    private func linger(_ socket: Int32) {
        farewells.add(socket, at: now)
        lookAgain(at: now + Farewells.patience)
    }

    // MARK: Requests and answers

    /// A request line was read.
    func began(_ intake: Intake, on connection: Connection) {
        connection.intake = intake
        connection.requests += 1
        if connection.phase != .head { enter(.head, connection) }
    }

    /// A piece of a body came; false if there is no room for it.
    func takes(_ count: Int, of connection: Connection) -> Bool {
        connection.bodyBytes += count
        bodyBytes += count
        return bodyBytes <= configuration.maximumBodyBytesInAll
    }

    /// A head was read and accepted, and a body is to come.
    func awaitsBody(_ connection: Connection) {
        enter(.body, connection)
    }

    /// What is to be done with a body whose head is there.
    func decide(_ exchange: Exchange) -> BodyDecision { bodies?(exchange) ?? .buffer }

    /// A piece of a body came that goes on to its sink.
    func passes(_ count: Int, of exchange: Exchange) {
        exchange.streamedBytes += count
        exchange.connection.passedBytes += count
    }

    /// A body's sink has no room: its connection is suspended until it has.
    func pause(_ exchange: Exchange) {
        let connection = exchange.connection
        paused[connection.socket] = exchange
        // What the client has used of its time; the pause is ours.
        connection.pausedAfter = MonotonicClock.now - connection.since
        connection.enter(.handled, at: now)
    }

    /// A body's sink has room again.
    func unpause(_ exchange: Exchange) {
        let connection = exchange.connection
        guard paused.removeValue(forKey: connection.socket) != nil else { return }
        now = MonotonicClock.now
        connection.enter(.body, at: now - connection.pausedAfter)
        if let next = times.nextLook(at: connection, now: now) { lookAgain(at: next) }
        if halfClosed.contains(connection.socket) { unsettled.insert(connection.socket) }
        hasResumed = true
        MicroHTTPD.resumeAsItWas(connection.handle)
    }

    /// Hands a complete request to the handler; true if it is unanswered and has to be suspended.
    func handle(_ exchange: Exchange) -> Bool {
        let connection = exchange.connection
        handler(exchange)
        guard exchange.handlerReturned() else { return false }
        connection.enter(.handled, at: now)
        waiting[connection.socket] = exchange
        if halfClosed.contains(connection.socket) { unsettled.insert(connection.socket) }
        return true
    }

    /// An answer was queued.
    func answered(_ connection: Connection) {
        // It may have been queued between two rounds.
        now = MonotonicClock.now
        enter(.sending, connection)
    }

    /// The answer to a body that is too long was written while it is still coming.
    func drains(_ connection: Connection) {
        enter(.draining, connection)
    }

    /// Lets MHD go on with a connection that waited.
    func resume(_ exchange: Exchange) {
        let socket = exchange.connection.socket
        waiting[socket] = nil
        if halfClosed.contains(socket) { unsettled.insert(socket) }
        hasResumed = true
        MicroHTTPD.resume(exchange.connection.handle)
    }

    /// The answer of an exchange has nothing to send; to be called while MHD asks for it.
    func streamWaits(_ exchange: Exchange) {
        let connection = exchange.connection
        waiting[connection.socket] = exchange
        if !connection.streamWaits { push(connection) }
        connection.streamWaits = true
        if halfClosed.contains(connection.socket) { unsettled.insert(connection.socket) }
        MicroHTTPD.suspend(connection.handle)
    }

    /// The answer of an exchange is cut; to be called while MHD asks for it.
    ///
    /// MHD closes the connection, but frees it only when it looks at it again, for which it waits for an event of a socket that has
    /// none any more. It looks at those that are resumed.
    func streamFails(_ exchange: Exchange) {
        let handle = exchange.connection.handle
        exchange.connection.hasLastWord = true
        MicroHTTPD.suspend(handle)
        MicroHTTPD.resumeAsItWas(handle)
        hasResumed = true
    }

    /// Lets the kernel send what it keeps back for more to come: the answer's head.
    private func push(_ connection: Connection) {
        var on: Int32 = 1
        var off: Int32 = 0
        setsockopt(connection.socket, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(connection.socket, Int32(IPPROTO_TCP), TCP_CORK, &off, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The answer of an exchange may have something to send again.
    func resumeStream(_ exchange: Exchange) {
        let connection = exchange.connection
        waiting[connection.socket] = nil
        connection.streamWaits = false
        if connection.isDrained {
            // The time without anything to send does not count.
            connection.isDrained = false
            connection.enter(.sending, at: MonotonicClock.now)
        }
        hasResumed = true
        MicroHTTPD.resumeAsItWas(connection.handle)
    }

    /// A request is over.
    func completed(_ intake: Intake, isWhole: Bool) {
        let connection = intake.connection
        connection.intake = nil
        bodyBytes -= connection.bodyBytes
        connection.bodyBytes = 0
        connection.streamWaits = false
        connection.isDrained = false
        connection.passedBytes = 0
        connection.lastRound = round
        if let answer = connection.earlyAnswer {
            connection.earlyAnswer = nil
            intake.refuse(with: answer, isWritten: !configuration.isEncrypted)
        }
        enter(.idle, connection)
        guard let onCompletion = configuration.onCompletion else { return }
        if let request = intake.completed(isWhole: isWhole, at: MonotonicClock.nanoseconds) { onCompletion(request) }
    }

    /// Makes an answer, or the one that says that this answer cannot be sent.
    func prepare(_ response: Response) -> PreparedResponse {
        if let prepared = PreparedResponse(response) { return prepared }
        let problem = configuration.problem(500, "The answer could not be sent.")
        guard let prepared = PreparedResponse(problem) ?? PreparedResponse(Response(status: 500)) else {
            preconditionFailure("no memory for an answer")
        }
        return prepared
    }

    // MARK: Answers without MHD

    /// Writes an answer to a connection on which MHD cannot give one, as the last one.
    func answerEarly(_ connection: Connection, _ refusal: RequestRefusal) {
        guard !connection.hasLastWord else { return }
        connection.hasLastWord = true
        guard !configuration.isEncrypted else { return }
        connection.lingers = true
        let answer = EarlyAnswer(configuration.response(to: refusal))
        answer.write(to: connection.socket)
        connection.earlyAnswer = answer.given
    }

    /// Answers a client that is one too many, and lets it go.
    func turnAway(_ socket: Int32, from address: SocketAddress, _ refusal: RequestRefusal) {
        guard !configuration.isEncrypted else {
            close(socket)
            return
        }
        let answer = EarlyAnswer(configuration.response(to: refusal))
        answer.write(to: socket)
        linger(socket)
        tell(answer.given, from: address.clientLiteral)
    }

    /// An answer to what never became a request.
    private func tellEarlyAnswer(_ connection: Connection) {
        guard let answer = connection.earlyAnswer else { return }
        connection.earlyAnswer = nil
        tell(answer, from: connection.clientAddress)
    }

    private func tell(_ answer: GivenAnswer, from address: String) {
        configuration.onCompletion?(CompletedRequest(unread: answer, clientAddress: address))
    }

    /// MHD is about to send a page of its own; true if it shall queue `page`, or its own if that is nil.
    func mayQueuePage(status: Int, headIsComplete: Bool, on connection: Connection) -> Bool {
        let refusal = RequestRefusal(page: status, of: connection.intake, configuration)
        guard configuration.isEncrypted else {
            answerEarly(connection, refusal)
            // MHD finds the socket closed for writing, and closes it.
            return true
        }
        connection.lingers = true
        // MHD would send the head of an answer to a malformed Content-Length twice: better none.
        if headIsComplete, case .line = connection.intake?.stage { return false }
        let page = prepare(configuration.response(to: refusal))
        connection.page = page
        connection.earlyAnswer = GivenAnswer(status: page.status, bodyBytes: page.bodyBytes)
        enter(.sending, connection)
        return true
    }

    // MARK: Time

    /// Looks who has taken too long.
    private func look() {
        nextLook = nil
        farewells.endOverdue(at: now)
        if let end = farewells.nextEnd { lookAgain(at: end) }
        for connection in open.values where !connection.isGivenUp { look(at: connection) }
    }

    private func look(at connection: Connection) {
        times.update(connection, now: now)
        guard let end = times.end(of: connection), end <= now else {
            if let next = times.nextLook(at: connection, now: now) { lookAgain(at: next) }
            return
        }
        switch connection.phase {
        case .head: answerEarly(connection, RequestRefusal(408, "The request's head took too long."))
        case .body: answerEarly(connection, RequestRefusal(408, "The request's body took too long."))
        case .idle, .sending, .draining, .handled: break
        }
        connection.giveUp(resets: connection.phase == .sending || connection.phase == .draining)
    }

    private func enter(_ phase: Connection.Phase, _ connection: Connection) {
        connection.enter(phase, at: now)
        if let next = times.nextLook(at: connection, now: now) { lookAgain(at: next) }
    }

    private func lookAgain(at time: Duration) {
        // Many that are due one after the other are dealt with together.
        let time = max(time, now + .milliseconds(20))
        if nextLook.map({ time < $0 }) ?? true { nextLook = time }
    }

    // MARK: The end

    /// Resumes all who wait, unanswered: MHD aborts the process if it is stopped while one is suspended.
    func abandonAll() {
        isStopping = true
        for exchange in paused.values { MicroHTTPD.resumeAsItWas(exchange.connection.handle) }
        paused = [:]
        for exchange in waiting.values {
            guard !exchange.hasStream else {
                exchange.cutStream()
                continue
            }
            exchange.end()
            resume(exchange)
        }
        farewells.endAll()
    }
}
