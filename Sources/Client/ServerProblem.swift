internal import JSON

/// An answer of the server that is no success, as its problem document tells it (RFC 9457).
public struct ServerProblem: Sendable, CustomStringConvertible {
    /// The status of the answer (RFC 9110 §15).
    public let status: Int
    /// What went wrong, for people, as the server said it; `nil` if it said nothing that is known here.
    public let detail: String?
    /// What of the request is wrong: where (RFC 6901), and what about it.
    public let faults: [(pointer: String, detail: String)]
    /// After how many seconds it may be asked again, if it said so (RFC 9110 §10.2.3).
    let retryAfter: Int?
    /// Where it said the thing is instead (RFC 9110 §10.2.2).
    private let location: String?
    private let title: String?

    init(_ answer: Answer) {
        status = answer.status
        retryAfter = answer["Retry-After"].flatMap { Int($0) }
        location = answer["Location"]
        let isProblem = answer["Content-Type"]?.hasPrefix("application/problem+json") ?? false
        let object = isProblem ? (try? JSONParser.parse(answer.body))?.object : nil
        title = object?["title"]?.string
        detail = object?["detail"]?.string
        faults = (object?["errors"]?.array ?? []).compactMap { fault in
            guard let fault = fault.object, let detail = fault["detail"]?.string else { return nil }
            return (fault["pointer"]?.string ?? "", detail)
        }
    }

    /// Too many requests, and what servers and proxies say that are about to come back.
    var mayPass: Bool { [429, 502, 503, 504].contains(status) }

    /// For people, without control characters.
    public var description: String {
        var text = "The server answered \(status)"
        if let title, !title.isEmpty { text += " \(title)" }
        if (300..<400).contains(status), let location {
            return TerminalText.harmless(
                "\(text) and pointed to \(location), which was not followed: if that is the server, name it with --server."
            )
        }
        if let detail, !detail.isEmpty { text += ": \(detail)" }
        text = TerminalText.harmless(text)
        for fault in faults {
            text += "\n  " + TerminalText.harmless((fault.pointer.isEmpty ? "" : "\(fault.pointer): ") + fault.detail)
        }
        switch status {
        case 401:
            text += "\nA token is given by --token-file PATH or in SANDGLASS_TOKEN; `sandglass token add` makes one."
        case 421: text += "\nThe server has to be told the names by which it is called: serve --allow-host NAME."
        case 404 where detail == nil, 405 where detail == nil: text += "\nIs that the address of a Sandglass server?"
        default: break
        }
        return text
    }
}
