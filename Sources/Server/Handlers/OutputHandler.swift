internal import HTTPServer
internal import Reactor
internal import RunModel
internal import Service

/// The handler of `GET /runs/{id}/stdout` and `…/stderr`, which sends the bytes that a run wrote, stored or live.
@ReactorActor
struct OutputHandler {
    let service: RunService
    let observer: RequestObserver
    let loop: ServerLoop

    func read(_ request: AuthenticatedRequest, _ stream: OutputStream) throws(Problem) {
        let reply = request.reply
        if try Self.follows(request.http) {
            reply.later { () async throws(Problem) in try await follow(request, stream) }
        } else if let run = service.run(try request.runID(), for: request.principal) {
            reply.send(try response(request, run, stream))
        } else {
            reply.later { () async throws(Problem) in
                .response(try response(request, await service.run(of: request), stream))
            }
        }
    }

    private func response(
        _ request: AuthenticatedRequest,
        _ run: Run,
        _ stream: OutputStream
    ) throws(Problem) -> Response {
        observer.record(run.id, of: request.exchange)
        let output = stream == .standardOutput ? run.standardOutput : run.standardError
        // The output of a finished run does not change. Its stored part may be lost, which changes the length in
        // the tag.
        let tag = EntityTag("\(run.id)-\(stream.rawValue)-\(output.keptBytes)")
        let content = RangedContent(
            tag: run.state == .finished ? tag : nil,
            length: output.keptBytes,
            body: { range throws(Problem) in try Self.body(output, range) }
        )
        return try content.response(to: request.http)
    }

    private static func body(_ output: CapturedOutput, _ range: Range<Int>) throws(Problem) -> ResponseBody {
        switch output.content {
        case .bytes(let bytes): return .bytes(range == bytes.indices ? bytes : Array(bytes[range]))
        case .file(let path, _):
            do {
                return .file(try OpenFile(path: path), offset: range.lowerBound, count: range.count)
            } catch {
                throw Problem(status: 404, detail: "The output of this run was deleted.")
            }
        }
    }

    // MARK: ?follow=true

    private static func follows(_ request: Request) throws(Problem) -> Bool {
        let items = request.query.filter { $0.name == "follow" }
        guard let item = items.first else { return false }
        guard items.count == 1 else { throw .repeatedQueryParameter("follow") }
        guard item.value == "true" || item.value == "false" else {
            throw .invalidQueryParameter("follow", "true or false")
        }
        guard item.value == "true" else { return false }
        guard request.headers["Range"] == nil else {
            throw Problem(
                status: 400,
                detail: "\"follow=true\" starts at the beginning of the output and cannot be combined with Range."
            )
        }
        return true
    }

    private func follow(_ request: AuthenticatedRequest, _ stream: OutputStream) async throws(Problem) -> Reply.Content
    {
        observer.record(try request.runID(), of: request.exchange)
        let run = try await service.subscription(of: request)
        let reader = OutputReader(run, stream) { [loop] in loop.runSoon() }
        let head = Response(status: 200, headers: RangedContent.headers + HeaderField.live)
        return .stream(head, reader.makeBody())
    }
}

/// The body of a live output: the bytes of one stream as the run writes them, until the run is over.
@ReactorActor
private final class OutputReader: RunSubscriber {
    private let run: RunSubscription
    private let stream: OutputStream
    private let onWake: @ReactorActor () -> Void
    private weak var body: ResponseStream?
    private var offset = 0

    /// - Parameters:
    ///   - run: the run.
    ///   - stream: the stream to read.
    ///   - onWake: called when there may be more to send.
    init(_ run: RunSubscription, _ stream: OutputStream, onWake: @escaping @ReactorActor () -> Void) {
        (self.run, self.stream, self.onWake) = (run, stream, onWake)
    }

    /// Subscribes to the run until the stream ends, and returns the stream.
    func makeBody() -> ResponseStream {
        let body = ResponseStream { buffer in ReactorActor.assumeIsolated { self.read(into: buffer) } }
        body.onEnd = { ReactorActor.assumeIsolated { self.run.remove(self) } }
        self.body = body
        run.add(self)
        return body
    }

    func wake() {
        body?.wake()
        onWake()
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> ResponseStream.Part {
        guard let count = run.read(stream, at: offset, into: buffer), !run.isAbandoned else { return .failure }
        offset += count
        guard count == 0 else { return .bytes(count) }
        return run.isComplete ? .end : .nothingYet
    }
}
