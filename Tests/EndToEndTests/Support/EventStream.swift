import Foundation
import TestSupport
import Testing

/// The stream of a run's events over one connection.
final class EventStream {
    struct Event: Equatable {
        let name: String
        let id: String
        let data: String

        /// The output bytes of the event; empty for an event without output.
        var bytes: [UInt8] {
            guard let object = try? JSONSerialization.jsonObject(with: Data(data.utf8)) as? [String: Any],
                let text = object["text"] as? String
            else { return [] }
            return object["encoding"] as? String == "utf-8"
                ? Array(text.utf8) : Data(base64Encoded: text).map { Array($0) } ?? []
        }

        var isOutput: Bool { name == "stdout" || name == "stderr" }

        /// Returns a member of the event's JSON object.
        func member(_ name: String) -> Any? {
            (try? JSONSerialization.jsonObject(with: Data(data.utf8)) as? [String: Any])?[name]
        }
    }

    let client: HTTPClient
    let head: HTTPResponse
    /// The number of comment lines so far.
    private(set) var comments = 0
    private var received: [UInt8] = []

    init(_ server: ServerProcess, _ run: String, after id: String? = nil, _ headers: [String] = []) throws {
        client = try server.client()
        try client.request("GET", "/runs/\(run)/events", headers + (id.map { ["Last-Event-ID: \($0)"] } ?? []))
        head = try client.head()
        try #require(head.status == 200)
        #expect(head.headers["content-type"] == "text/event-stream")
    }

    /// Reads the next event; returns `nil` at the end of the stream.
    func next() throws -> Event? {
        let blank = Array("\n\n".utf8)
        while true {
            while let end = received.firstRange(of: blank) {
                let lines = String(decoding: received[..<end.lowerBound], as: UTF8.self).split(separator: "\n")
                received.removeFirst(end.upperBound)
                func field(_ name: String) -> String? {
                    lines.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
                }
                if let name = field("event") {
                    return Event(name: name, id: try #require(field("id")), data: try #require(field("data")))
                }
                if lines.contains(where: { $0.hasPrefix(":") }) { comments += 1 }
            }
            guard let chunk = try client.chunk() else {
                #expect(received.isEmpty)
                return nil
            }
            received += chunk
        }
    }

    /// Reads all remaining events.
    func all() throws -> [Event] {
        var events: [Event] = []
        while let event = try next() { events.append(event) }
        return events
    }
}

extension [EventStream.Event] {
    /// Returns the bytes of one output stream.
    func bytes(of stream: String) -> [UInt8] { filter { $0.name == stream }.flatMap(\.bytes) }

    /// The output in the order of the events, with one text for each switch between the two output streams.
    var interleaving: [String] {
        reduce(into: [(String, String)]()) { parts, event in
            guard event.isOutput else { return }
            let text = String(decoding: event.bytes, as: UTF8.self)
            if parts.last?.0 == event.name {
                parts[parts.count - 1].1 += text
            } else {
                parts.append((event.name, text))
            }
        }.map { "\($0.0): \($0.1)" }
    }
}
