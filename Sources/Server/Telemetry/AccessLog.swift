internal import HTTPServer
internal import RunModel
package import Telemetry

/// A log with one line per completed request.
///
/// A line never contains the query, which may hold secrets, nor headers or a body.
package struct AccessLog: Sendable {
    private let format: LogFormat
    private let output: LogOutput

    package init(_ format: LogFormat, to output: LogOutput) {
        self.format = format
        self.output = output
    }

    func write(_ request: CompletedRequest) {
        let metadata = request.metadata as? RequestMetadata
        var fields: [(name: String, value: LogLine.Value)] = [("request", .text(metadata?.id ?? RequestID.next()))]
        if let method = request.method { fields.append(("method", .text(method))) }
        if let target = request.target { fields.append(("path", .text(target))) }
        if let status = request.status { fields.append(("status", .integer(status))) }
        fields.append(("bytes", .integer(request.bodyBytes)))
        fields.append(("seconds", .seconds(request.duration)))
        fields.append(("client", .text(request.clientAddress)))
        if let run = metadata?.run { fields.append(("run", .text(run.description))) }
        if let principal = metadata?.principal, !principal.isEmpty { fields.append(("principal", .text(principal))) }
        if let trace = metadata?.trace { fields.append(("trace", .text(trace.traceID))) }
        output.write(LogLine(level: "info", "request", fields).bytes(format))
    }
}
