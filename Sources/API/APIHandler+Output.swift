internal import HTTPServer
internal import Reactor
internal import Runs
internal import Service

/// `GET /runs/{id}/stdout`, `…/stderr`: what a run wrote, as bytes.
extension APIHandler {
    func readOutput(_ call: Call, _ stream: OutputStream) throws(Problem) {
        let exchange = call.exchange
        if try Self.follows(call.request) { return try followOutput(call, stream) }
        try withRun(call) { [self] run throws(Problem) in
            observer.note(run.id, of: exchange)
            let output = stream == .standardOutput ? run.standardOutput : run.standardError
            exchange.respond(try Self.answer(call.request, run, stream, output))
        }
    }

    // MARK: ?follow=true

    private static func follows(_ request: Request) throws(Problem) -> Bool {
        let items = request.query.filter { $0.name == "follow" }
        guard let item = items.first else { return false }
        guard items.count == 1, item.value == "true" || item.value == "false" else {
            throw Problem(status: 400, detail: "The query's \"follow\" must be true or false, once.")
        }
        guard item.value == "true" else { return false }
        guard request.headers["Range"] == nil else {
            throw Problem(status: 400, detail: "What is followed comes from its beginning: there is no Range of it.")
        }
        return true
    }

    private func followOutput(_ call: Call, _ stream: OutputStream) throws(Problem) {
        try withFollowedRun(call) { [self] run in
            let reader = OutputReader(run, stream, woken: pumpSoon)
            let headers = Self.outputHeaders + Self.liveHeaders
            call.exchange.respond(Response(status: 200, headers: headers), streaming: reader.makeBody())
        }
    }

    /// Neither kept by caches nor gathered by proxies.
    static let liveHeaders = [HeaderField("Cache-Control", "no-store"), HeaderField("X-Accel-Buffering", "no")]

    /// Does something with a run that is to be followed.
    func withFollowedRun(_ call: Call, _ body: @escaping @Reactor (FollowedRun) -> Void) throws(Problem) {
        guard let name = call.runID else { throw Self.unknown(call) }
        service.follow(name, for: call.principal) { [self] result in
            observer.note(name, of: call.exchange)
            switch result {
            case .success(let run?): body(run)
            case .success(nil): call.exchange.respond(Self.unknown(call).response)
            case .failure(let error): call.exchange.respond(Problem(error).response)
            }
            answered()
        }
    }

    // MARK: What is kept

    static let outputHeaders = [
        HeaderField("Content-Type", "application/octet-stream"),
        HeaderField("X-Content-Type-Options", "nosniff"),
    ]

    private static func answer(
        _ request: Request,
        _ run: Run,
        _ stream: OutputStream,
        _ output: CapturedOutput
    ) throws(Problem) -> Response {
        let isFinal = run.state == .finished
        var headers = outputHeaders + [HeaderField("Accept-Ranges", "bytes")]
        // What a finished run wrote never changes, nor does its name; what is kept of it may be lost, which its length tells.
        let tag = EntityTag("\(run.id)-\(stream.rawValue)-\(output.keptBytes)")
        if isFinal {
            headers.append(HeaderField("ETag", tag.text))
            if tag.isKnown(to: request) { return Response(status: 304, headers: [headers[headers.count - 1]]) }
        }
        // Of what changes no one has an earlier state's tag.
        guard let range = ByteRange(request), tag.allowsRange(of: request, isKnown: isFinal) else {
            return Response(status: 200, headers: headers, body: try body(output, 0..<output.keptBytes))
        }
        let whole = output.keptBytes
        guard let bytes = range.bytes(of: whole) else {
            throw Problem(
                status: 416,
                detail: "There are \(whole) bytes\(isFinal ? "" : " so far"), and none of them is in the range.",
                headers: [HeaderField("Content-Range", "bytes */\(whole)"), HeaderField("Accept-Ranges", "bytes")]
            )
        }
        let length = isFinal ? "\(whole)" : "*"
        headers.append(HeaderField("Content-Range", "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(length)"))
        return Response(status: 206, headers: headers, body: try body(output, bytes))
    }

    private static func body(_ output: CapturedOutput, _ range: Range<Int>) throws(Problem) -> ResponseBody {
        switch output.content {
        case .bytes(let bytes): return .bytes(range == bytes.indices ? bytes : Array(bytes[range]))
        case .file(let path, _):
            do {
                return .file(try OpenFile(path: path), offset: range.lowerBound, count: range.count)
            } catch {
                throw Problem(status: 404, detail: "The output of this run is not there any more.")
            }
        }
    }
}
