package import RunModel

/// The reason why a client could not complete a request.
package enum ClientError: Error, Sendable {
    /// An argument of the caller is invalid: an address, a path, a pattern.
    case invalidArgument(String)
    /// This machine has no libcurl.
    case noLibrary(String)
    /// No connection to the server could be made.
    case unreachable(String)
    /// The connection ended, or was idle for too long, before the response was complete.
    case disconnected(String)
    /// The server's certificate is not trusted.
    case untrusted(String)
    /// The server rejected the request.
    case refused(ServerProblem)
    /// The server has no such run, or does not show it to this caller.
    case unknownRun(RunID, server: String)
    /// The response violates the protocol.
    case invalidResponse(String)
    /// An operation on this machine failed, such as reading or writing a file.
    case local(String)
    /// A signal asked this program to stop, and the program must stop now.
    case stopped(signal: Int32)
    /// Nobody reads this program's output any more.
    case outputClosed

    /// True if the server answered this request, so that other requests may succeed.
    package var concernsOneRequest: Bool {
        switch self {
        case .refused, .unknownRun: true
        default: false
        }
    }

    /// True if a retry of the same request may succeed.
    var isTransient: Bool {
        switch self {
        case .unreachable, .disconnected: true
        case .refused(let problem): problem.isTransient
        case .invalidArgument, .noLibrary, .untrusted, .unknownRun, .invalidResponse, .local, .stopped, .outputClosed:
            false
        }
    }
}

extension ClientError: CustomStringConvertible {
    /// The explanation for people, without control characters that the server may have sent.
    package var description: String {
        switch self {
        case .invalidArgument(let text), .unreachable(let text), .disconnected(let text), .invalidResponse(let text),
            .local(let text):
            TerminalText.escaped(text)
        case .untrusted(let text):
            "\(TerminalText.escaped(text)). If your own certificate authority signed the server's certificate, name "
                + "the authority's certificate with --ca-file."
        case .noLibrary(let reason):
            "This command needs libcurl. Install libcurl3-gnutls or libcurl4 (\(reason))."
        case .refused(let problem): problem.description
        case .unknownRun(let id, let server):
            "There is no run \(id) on the server \(TerminalText.escaped(server)). It was deleted, belongs to another "
                + "principal, or is on another server (--server). `sandglass list` lists your runs."
        case .stopped(let signal): "stopped by signal \(signal)"
        case .outputClosed: "the reader of the output is gone"
        }
    }
}
