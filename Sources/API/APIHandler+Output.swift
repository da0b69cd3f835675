internal import HTTPServer
internal import Reactor
internal import Runs
internal import Service

/// `GET /runs/{id}/stdout`, `…/stderr`: what a run wrote, as bytes.
extension APIHandler {
    func readOutput(_ call: Call, _ stream: OutputStream) throws(Problem) {
        let exchange = call.exchange
        try withRun(call) { [self] run throws(Problem) in
            observer.note(run.id, of: exchange)
            let output = stream == .standardOutput ? run.standardOutput : run.standardError
            exchange.respond(try Self.answer(call.request, run, stream, output))
        }
    }

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
