internal import HTTPServer
public import Logs
internal import Runs

/// A line for each request that is over.
///
/// Never the query, which may hold secrets, a header, or a body.
public struct AccessLog: Sendable {
    private let format: LogFormat
    private let output: LogOutput

    /// Lines of that format go there.
    public init(_ format: LogFormat, to output: LogOutput) {
        self.format = format
        self.output = output
    }

    func write(_ request: CompletedRequest) {
        let note = request.note as? RequestNote
        var fields: [(name: String, value: LogLine.Value)] = [("request", .text(note?.id ?? RequestName.next()))]
        if let method = request.method { fields.append(("method", .text(method))) }
        if let target = request.target { fields.append(("path", .text(target))) }
        if let status = request.status { fields.append(("status", .integer(status))) }
        fields.append(("bytes", .integer(request.bodyBytes)))
        fields.append(("seconds", .seconds(request.duration)))
        fields.append(("client", .text(request.clientAddress)))
        if let run = note?.run { fields.append(("run", .text(run.description))) }
        if let principal = note?.principal, !principal.isEmpty { fields.append(("principal", .text(principal))) }
        if let trace = note?.trace { fields.append(("trace", .text(trace.traceID))) }
        output.write(LogLine(level: "info", "request", fields).bytes(format))
    }
}
