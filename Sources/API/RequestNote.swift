internal import HTTPServer
internal import Runs

/// What the log knows of a request beside its line and its answer.
struct RequestNote: Sendable {
    /// By what it is found in logs: the client's own name for it, or one that was made up.
    var id: String
    /// Whether it is the client's own, who is told it in the answer.
    var isClients = false
    /// Whose it is; empty where there are no principals.
    var principal = ""
    /// The run that it was about.
    var run: RunID?
    /// The trace that it is part of.
    var trace: TraceContext?

    /// What a client says of its request.
    ///
    /// - Returns: `nil` if it says nothing: then there is nothing to keep.
    static func of(_ request: Request) -> RequestNote? {
        let id = request.headers["X-Request-Id"].flatMap { RequestName.isValid($0) ? $0 : nil }
        let parents = request.headers["traceparent"] == nil ? [] : request.headers.values(of: "traceparent")
        let trace = TraceContext(
            parents: parents,
            states: parents.isEmpty ? [] : request.headers.values(of: "tracestate")
        )
        guard id != nil || trace != nil else { return nil }
        return RequestNote(id: id ?? RequestName.next(), isClients: id != nil, trace: trace)
    }
}
