internal import Glibc
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
            reply.send(try content(request, run, stream))
        } else {
            reply.later { () async throws(Problem) in
                try content(request, await service.run(of: request), stream)
            }
        }
    }

    private func content(
        _ request: AuthenticatedRequest,
        _ run: Run,
        _ stream: OutputStream
    ) throws(Problem) -> Reply.Content {
        observer.record(run.id, of: request.exchange)
        let output = stream == .standardOutput ? run.standardOutput : run.standardError
        // The output of a finished run does not change. Its stored part may be lost, which changes the length in
        // the tag.
        let tag = EntityTag("\(run.id)-\(stream.rawValue)-\(output.keptBytes)")
        let content = RangedContent(
            tag: run.state == .finished ? tag : nil,
            length: output.endOffset,
            cut: output.tail.isEmpty ? 0..<0 : output.cut ?? 0..<0,
            body: { range throws(Problem) in try Self.body(output, range) }
        )
        if !output.tail.isEmpty, case .whole(let headers) = try content.selection(of: request.http) {
            let body = try CutOutput(output).makeBody()
            return .stream(Response(status: 200, headers: headers), body)
        }
        return .response(try content.response(to: request.http))
    }

    private static func body(_ output: CapturedOutput, _ range: Range<Int>) throws(Problem) -> ResponseBody {
        switch output.content {
        case .bytes(let bytes):
            if range == bytes.indices { return .bytes(bytes) }
            return .bytes(Array(bytes[output.position(of: range.lowerBound)...].prefix(range.count)))
        case .file(let path, _):
            do {
                return .file(try OpenFile(path: path), offset: range.lowerBound, count: range.count)
            } catch {
                throw .deletedOutput
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

/// The body of an output whose middle was cut: its beginning and its end.
@ReactorActor
private final class CutOutput {
    private let output: CapturedOutput
    private let file: OpenFile?
    private var offset = 0

    init(_ output: CapturedOutput) throws(Problem) {
        self.output = output
        guard case .file(let path, _) = output.content else {
            file = nil
            return
        }
        do { file = try OpenFile(path: path) } catch { throw .deletedOutput }
    }

    func makeBody() -> ResponseStream {
        ResponseStream { buffer in ReactorActor.assumeIsolated { self.read(into: buffer) } }
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) -> ResponseStream.Part {
        let part = output.readable(from: offset)
        guard !part.isEmpty else { return .end }
        var count = min(part.count, buffer.count)
        if case .bytes(let bytes) = output.content {
            buffer.copyBytes(from: bytes[output.position(of: part.lowerBound)...].prefix(count))
        } else {
            count = pread(file?.descriptor ?? -1, buffer.baseAddress, count, off_t(part.lowerBound))
            guard count > 0 else { return .failure }
        }
        offset = part.lowerBound + count
        return .bytes(count)
    }
}

extension Problem {
    fileprivate static let deletedOutput = Problem(status: 404, detail: "The output of this run was deleted.")
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
        let start = run.readable(stream, from: offset).lowerBound
        guard let count = run.read(stream, at: start, into: buffer), !run.isAbandoned else { return .failure }
        offset = start + count
        guard count == 0 else { return .bytes(count) }
        return run.isComplete ? .end : .nothingYet
    }
}
