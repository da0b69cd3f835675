internal import HTTPServer
internal import JSON

/// The format of an event stream.
enum EventFormat {
    /// Server-Sent Events, <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
    case serverSentEvents
    /// One JSON object per line (NDJSON), for programs without a parser of Server-Sent Events.
    case lines

    /// The time in milliseconds after which a browser reconnects.
    private static let retry = 1000

    /// Selects the format of a request: lines if `Accept` names them and does not name Server-Sent Events before.
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

    /// The bytes before the first event.
    var prologue: [UInt8] {
        switch self {
        case .serverSentEvents: Array("retry: \(Self.retry)\n\n".utf8)
        case .lines: []
        }
    }

    /// The bytes that keep a connection alive without an event: a comment, or an empty line.
    var heartbeat: [UInt8] {
        switch self {
        case .serverSentEvents: Array(": \n\n".utf8)
        case .lines: [UInt8(ascii: "\n")]
        }
    }

    /// Returns the bytes of an event.
    ///
    /// - Parameters:
    ///   - name: the type of the event.
    ///   - position: the position of a client that has received the event.
    ///   - members: writes the members of the event's data.
    /// - Returns: the bytes to send.
    func event(_ name: String, at position: EventPosition, _ members: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        switch self {
        case .serverSentEvents:
            writer.object(members)
            // The JSON text contains no line breaks, so one data line is enough.
            return Array("event: \(name)\nid: \(position.text)\ndata: ".utf8) + writer.bytes + Array("\n\n".utf8)
        case .lines:
            writer.object { writer in
                writer.member("event", name)
                writer.member("id", position.text)
                // A run has an id of its own, so the run is a separate member.
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
