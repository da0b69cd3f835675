internal import CLinux

/// How long each phase of a connection may last.
struct TimeLimits {
    private let configuration: HTTPServerConfiguration
    /// How often an answer's progress, and an idle connection's first byte, is looked for; `nil`: never.
    ///
    /// Worked out once: a division of durations costs more than the rest of what is done here for each request.
    private let sendingLooks: Duration
    private let idleLooks: Duration?

    init(configuration: HTTPServerConfiguration) {
        self.configuration = configuration
        sendingLooks = configuration.sendTimeout / 2
        idleLooks = configuration.headTimeout > .zero ? configuration.headTimeout / 2 : nil
    }

    /// When a connection has taken too long; nil if it may take as long as it likes.
    func end(of connection: Connection) -> Duration? {
        let time: Duration
        switch connection.phase {
        case .handled: return nil
        case .draining: time = Farewells.patience
        case .head: time = configuration.headTimeout
        case .idle: time = configuration.idleTimeout
        case .sending: time = configuration.sendTimeout
        case .body:
            guard configuration.bodyTimeout > .zero else { return nil }
            let rate = configuration.minimumBodyBytesPerSecond
            let earned = rate > 0 ? (connection.bodyBytes + connection.passedBytes) / rate : 0
            return connection.since + configuration.bodyTimeout + .seconds(earned)
        }
        return time > .zero ? connection.since + time : nil
    }

    /// When to look at a connection next; nil for never.
    ///
    /// An answer's progress and an idle connection's first byte are seen only by looking.
    func nextLook(at connection: Connection, now: Duration) -> Duration? {
        let end = end(of: connection)
        return switch connection.phase {
        case .sending: end.map { min($0, now + sendingLooks) }
        case .idle:
            if let idleLooks { min(end ?? .seconds(Int32.max), now + idleLooks) } else { end }
        case .head, .body, .draining, .handled: end
        }
    }

    /// Takes note of what has happened to a connection without a word from MHD.
    func update(_ connection: Connection, now: Duration) {
        guard connection.phase == .idle || connection.phase == .sending else { return }
        var progress = sandglass_tcp_progress()
        guard sandglass_tcp_progress(connection.socket, &progress) == 0 else { return }
        if connection.phase == .idle {
            // A kept connection on which bytes have come since the last answer has begun another request. Ten milliseconds:
            // the kernel's clock is coarse, and the last request's own bytes must not count.
            let last = now - .milliseconds(progress.milliseconds_since_data)
            if last > connection.since + .milliseconds(10) { connection.enter(.head, at: last) }
        } else {
            connection.isDrained = connection.streamWaits && progress.waiting == 0
            // A client that has taken all that there is does not take too long.
            guard progress.acknowledged != connection.acknowledgedBytes || connection.isDrained else { return }
            connection.acknowledgedBytes = progress.acknowledged
            connection.enter(.sending, at: now)
        }
    }
}
