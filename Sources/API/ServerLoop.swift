internal import HTTPServer
internal import Reactor

/// Lets the server run when its descriptor is ready, when its time-out is over, and when an answer was given.
@Reactor
final class ServerLoop {
    var server: HTTPServer?
    private var timer: Timer?
    private var timerTime = MonotonicTime(nanoseconds: .max)
    private var isPumping = false

    func pump() {
        // An answer that is given while the server runs is sent by that same run.
        guard !isPumping, let server else { return }
        isPumping = true
        defer { isPumping = false }
        repeat { server.run() } while server.timeout == .zero
        rearm(server)
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
