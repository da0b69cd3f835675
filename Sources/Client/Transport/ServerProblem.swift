internal import JSON
internal import RunAPI

/// An error response of the server, with its problem document if it has one (RFC 9457).
package struct ServerProblem: Sendable, CustomStringConvertible {
    /// The status code of the response (RFC 9110 §15).
    package let status: Int
    /// The server's explanation for people; `nil` if the response has none in a known format.
    package let detail: String?
    /// The faults of the request's body, each with a JSON Pointer (RFC 6901).
    package let faults: [(pointer: String, detail: String)]
    /// The number of seconds after which a retry makes sense, if the server sent one (RFC 9110 §10.2.3).
    let retryAfter: Int?
    /// The target of a redirect (RFC 9110 §10.2.2).
    private let location: String?
    private let title: String?

    init(_ response: IncomingResponse) {
        status = response.status
        retryAfter = response["Retry-After"].flatMap { Int($0) }
        location = response["Location"]
        let isProblem = response["Content-Type"]?.hasPrefix("application/problem+json") ?? false
        let problem = isProblem ? ReceivedProblem(response.body) : nil
        title = problem?.title
        detail = problem?.detail
        faults = problem?.faults ?? []
    }

    /// A Boolean value indicating whether a retry may succeed, because of too many requests or a temporarily
    /// unavailable server or proxy.
    var isTransient: Bool { [429, 502, 503, 504].contains(status) }

    /// An explanation for people, without control characters.
    package var description: String {
        var text = "The server responded with status \(status)"
        if let title, !title.isEmpty { text += " \(title)" }
        if (300..<400).contains(status), let location {
            return TerminalText.escaped(
                "\(text) and a redirect to \(location), which was not followed. "
                    + "If the redirect leads to the right server, set its address with --server."
            )
        }
        if let detail, !detail.isEmpty { text += ": \(detail)" }
        text = TerminalText.escaped(text)
        for fault in faults {
            text += "\n  " + TerminalText.escaped((fault.pointer.isEmpty ? "" : "\(fault.pointer): ") + fault.detail)
        }
        switch status {
        case 401:
            text += "\nPass a token with --token-file PATH or in SANDGLASS_TOKEN. `sandglass token add` creates one."
        case 421: text += "\nAdd the name in the address to the server's names: serve --allow-host NAME."
        case 404 where detail == nil, 405 where detail == nil: text += "\nIs this the address of a Sandglass server?"
        default: break
        }
        return text
    }
}
