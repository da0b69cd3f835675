internal import HTTPServer
internal import Reactor
internal import Service

/// The handler of `GET /runs/{id}/events`, which sends the output and state of a run as live events.
@ReactorActor
struct EventsHandler {
    let service: RunService
    let observer: RequestObserver
    let loop: ServerLoop
    /// The time without an event after which a heartbeat is sent.
    let heartbeat: Duration

    func read(_ request: AuthenticatedRequest) async throws(Problem) -> Reply.Content {
        let position = try Self.position(request.http)
        let format = EventFormat(request.http)
        observer.record(try request.runID(), of: request.exchange)
        let run = try await service.subscription(of: request)
        // A 204 tells a client that has received the end not to reconnect.
        if position.isEnd, run.isComplete { return .response(Response(status: 204)) }
        let reader = EventReader(run, after: position, format: format, heartbeat: heartbeat) { [loop] in loop.runSoon()
        }
        let headers = [
            HeaderField("Content-Type", format.contentType), HeaderField("X-Content-Type-Options", "nosniff"),
            HeaderField("Vary", "Accept"),
        ]
        return .stream(Response(status: 200, headers: headers + HeaderField.live), reader.makeBody())
    }

    private static func position(_ request: Request) throws(Problem) -> EventPosition {
        let fields = request.headers.values(of: "Last-Event-ID")
        guard let field = fields.first else { return EventPosition() }
        guard fields.count == 1, let position = EventPosition(field) else {
            throw Problem(
                status: 400,
                detail: "The header Last-Event-ID must be the id of an event of this run, such as 4096-12."
            )
        }
        return position
    }
}

extension HeaderField {
    /// The headers of live streams, which caches must not store and proxies must not buffer.
    static let live = [HeaderField("Cache-Control", "no-store"), HeaderField("X-Accel-Buffering", "no")]
}
