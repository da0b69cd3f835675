/// Why a client could not do what it was asked to.
public enum ClientError: Error, Sendable {
    /// What the caller asked for cannot be: an address, a path, a file that is not there.
    case wrongCall(String)
    /// There is no libcurl on this machine.
    case noLibrary(String)
    /// No connection to the server could be made.
    case unreachable(String)
    /// The connection to the server ended, or was silent for too long, before the answer was whole.
    case brokenOff(String)
    /// The server is not who it should be.
    case untrusted(String)
    /// The server refused.
    case refused(ServerProblem)
    /// The server answered with what this client does not understand.
    case misunderstood(String)
    /// Something on this machine: a file that cannot be read or written.
    case local(String)
    /// A signal asked this program to stop, and it has to.
    case stopped(signal: Int32)
    /// Nobody reads this program's output any more.
    case outputClosed

    /// Whether the same request may succeed a moment later.
    var mayPass: Bool {
        switch self {
        case .unreachable, .brokenOff: true
        case .refused(let problem): problem.mayPass
        case .wrongCall, .noLibrary, .untrusted, .misunderstood, .local, .stopped, .outputClosed: false
        }
    }
}

extension ClientError: CustomStringConvertible {
    /// For people, without control characters of whoever is at the other end.
    public var description: String {
        switch self {
        case .wrongCall(let text), .unreachable(let text), .brokenOff(let text), .misunderstood(let text),
            .local(let text):
            TerminalText.harmless(text)
        case .untrusted(let text):
            "\(TerminalText.harmless(text)). If the server's certificate is signed by an authority of your own, name its "
                + "certificate with --ca-file."
        case .noLibrary(let reason):
            "There is no libcurl, which this command needs: install libcurl3-gnutls or libcurl4 (\(reason))."
        case .refused(let problem): problem.description
        case .stopped(let signal): "stopped by signal \(signal)"
        case .outputClosed: "nobody reads the output"
        }
    }
}
