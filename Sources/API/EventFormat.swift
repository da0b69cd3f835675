internal import HTTPServer
internal import JSON

/// How events are written.
enum EventFormat {
    /// Server-Sent Events, <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
    case serverSentEvents
    /// A JSON object a line, for programs that have no reader of Server-Sent Events.
    case lines

    /// How long a browser waits before it connects again, in milliseconds.
    private static let retry = 1000

    /// What a request wants: lines if it names them and does not name Server-Sent Events before.
    init(_ request: Request) {
        let types = request.headers.values(of: "Accept").flatMap { $0.split(separator: ",") }.map { type in
            type.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }.lowercased()
        }
        let named = types.first { $0 == "text/event-stream" || $0 == "application/x-ndjson" }
        self = named == "application/x-ndjson" ? .lines : .serverSentEvents
    }

    var contentType: String {
        switch self {
        case .serverSentEvents: "text/event-stream"
        case .lines: "application/x-ndjson"
        }
    }

    /// What comes before all events.
    var prologue: [UInt8] {
        switch self {
        case .serverSentEvents: Array("retry: \(Self.retry)\n\n".utf8)
        case .lines: []
        }
    }

    /// What is no event, but traffic: a comment, or an empty line.
    var heartbeat: [UInt8] {
        switch self {
        case .serverSentEvents: Array(": \n\n".utf8)
        case .lines: [UInt8(ascii: "\n")]
        }
    }

    /// An event.
    ///
    /// - Parameters:
    ///   - name: what it is.
    ///   - position: where a client is that has seen it.
    ///   - members: what it says.
    /// - Returns: its bytes.
    func event(_ name: String, at position: EventPosition, _ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        switch self {
        case .serverSentEvents:
            writer.object(members)
            // JSON has no line ends of its own.
            return Array("event: \(name)\nid: \(position.text)\ndata: ".utf8) + writer.bytes + Array("\n\n".utf8)
        case .lines:
            writer.object { writer in
                writer.member("event", name)
                writer.member("id", position.text)
                // A run has an id of its own: it is a member by itself.
                if name == "state" || name == "end" {
                    writer.member("run") { $0.object(members) }
                } else {
                    members(&writer)
                }
            }
            return writer.bytes + [UInt8(ascii: "\n")]
        }
    }
}
