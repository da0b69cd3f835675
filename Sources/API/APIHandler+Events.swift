internal import HTTPServer
internal import Reactor
internal import Service

/// `GET /runs/{id}/events`: a run's output and its state, live.
extension APIHandler {
    func readEvents(_ call: Call) throws(Problem) {
        let request = call.request
        let position = try Self.position(request)
        let format = EventFormat(request)
        try withFollowedRun(call) { [self] run in
            // Whoever has seen the end is told not to connect again.
            if position.isEnd, run.isComplete { return call.exchange.respond(Response(status: 204)) }
            let reader = EventReader(run, after: position, format: format, heartbeat: heartbeat, woken: pumpSoon)
            let headers =
                [
                    HeaderField("Content-Type", format.contentType), HeaderField("X-Content-Type-Options", "nosniff"),
                    HeaderField("Vary", "Accept"),
                ] + Self.liveHeaders
            call.exchange.respond(Response(status: 200, headers: headers), streaming: reader.makeBody())
        }
    }

    private static func position(_ request: Request) throws(Problem) -> EventPosition {
        let fields = request.headers.values(of: "Last-Event-ID")
        guard let field = fields.first else { return EventPosition() }
        guard fields.count == 1, let position = EventPosition(field) else {
            throw Problem(
                status: 400,
                detail: "\"Last-Event-ID\" must be the id of an event of this run, such as 4096-12."
            )
        }
        return position
    }
}
