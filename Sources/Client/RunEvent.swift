internal import JSON
public import Runs

/// What a run's events tell, one at a time.
public enum RunEvent: Sendable {
    /// A part of a stream: what was written, and how much of that stream comes before it.
    case output(OutputStream, bytes: [UInt8], offset: Int, id: String)
    /// How the run stands.
    case state(ReceivedRun, id: String)
    /// How it ended; nothing comes behind it.
    case end(ReceivedRun)

    /// Reads a line of `application/x-ndjson`.
    ///
    /// - Returns: `nil` for an event that is not known here, which a later server may have.
    init?(line: [UInt8]) throws(ClientError) {
        let object: JSONObject?
        do throws(JSONParseError) {
            object = try JSONParser.parse(line).object
        } catch {
            throw Self.fault
        }
        guard let object, let name = object["event"]?.string, let id = object["id"]?.string, Self.isPosition(id)
        else { throw Self.fault }
        switch name {
        case "state", "end":
            guard let value = object["run"] else { throw Self.fault }
            let run = try ReceivedRun(value)
            self = name == "end" ? .end(run) : .state(run, id: id)
        default:
            guard let stream = OutputStream(rawValue: name) else { return nil }
            guard let text = object["text"]?.string, let offset = object["offset"]?.integer, offset >= 0 else {
                throw Self.fault
            }
            let bytes = object["encoding"]?.string == "base64" ? Base64.decode(text) : Array(text.utf8)
            guard let bytes else { throw Self.fault }
            self = .output(stream, bytes: bytes, offset: offset, id: id)
        }
    }

    /// It comes back in a header.
    private static func isPosition(_ id: String) -> Bool {
        id.utf8.count <= 64 && id.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    private static let fault = ClientError.misunderstood("The server sent an event that is none.")
}
