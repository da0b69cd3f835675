internal import HTTPServer
internal import Reactor

/// Lets the server run when its descriptor is ready, when its time-out is over, and when an answer was given.
@Reactor
final class ServerLoop {
    var server: HTTPServer?
    private var timer: Timer?
    private var timerTime = MonotonicTime(nanoseconds: .max)
    private var isPumping = false
    private var isPumpDue = false

    /// How long the server may go on at a time while it always has more to send.
    private static let turn = Duration.milliseconds(2)

    func pump() {
        // An answer that is given while the server runs is sent by that same run.
        guard !isPumping, let server else { return }
        isPumping = true
        defer { isPumping = false }
        server.run()
        if server.timeout == .zero {
            // Clients that take whatever they get must not hold up the commands.
            let end = MonotonicTime.now.advanced(by: Self.turn)
            repeat { server.run() } while server.timeout == .zero && MonotonicTime.now < end
        }
        if server.timeout == .zero { pumpSoon() } else { rearm(server) }
    }

    /// Lets the server run once for all that is woken until then, after what is being done now.
    func pumpSoon() {
        guard !isPumpDue else { return }
        isPumpDue = true
        Task { @Reactor in
            self.isPumpDue = false
            self.pump()
        }
    }

    private func rearm(_ server: HTTPServer) {
        guard let timeout = server.timeout else { return }
        let time = MonotonicTime.now.advanced(by: timeout)
        // One that comes earlier looks again.
        guard time < timerTime else { return }
        timer?.cancel()
        timerTime = time
        timer = Reactor.schedule(at: time) { [weak self] in
            self?.timerTime = MonotonicTime(nanoseconds: .max)
            self?.pump()
        }
    }
}
