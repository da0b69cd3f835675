internal import JSON
package import RunAPI
package import RunModel
internal import System

/// An event of a run.
package enum RunEvent: Sendable {
    /// A part of a stream, and the number of bytes of that stream before it.
    case output(OutputStream, bytes: [UInt8], offset: Int, id: String)
    /// The current state of the run.
    case state(ReceivedRun, id: String)
    /// The finished run; the last event.
    case end(ReceivedRun)

    /// Parses a line of `application/x-ndjson`.
    ///
    /// - Returns: `nil` for an unknown event, which a newer server may send.
    init?(line: [UInt8]) throws(ClientError) {
        let object: JSONObject?
        do throws(JSONParseError) {
            object = try JSONParser.parse(line).object
        } catch {
            throw Self.fault
        }
        guard let object, let name = object["event"]?.string, let id = object["id"]?.string, Self.isHeaderSafe(id)
        else { throw Self.fault }
        switch name {
        case "state", "end":
            guard let value = object["run"] else { throw Self.fault }
            let run = try ReceivedRun(value)
            self = name == "end" ? .end(run) : .state(run, id: id)
        default:
            guard let stream = OutputStream(rawValue: name) else { return nil }
            do throws(MalformedDocument) {
                let event = try EventDocument(object)
                self = .output(stream, bytes: event.bytes, offset: event.offset, id: id)
            } catch {
                throw ClientError(error)
            }
        }
    }

    /// Returns whether an id can be sent back in the header `Last-Event-ID`.
    private static func isHeaderSafe(_ id: String) -> Bool {
        id.utf8.count <= 64 && id.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    private static let fault = ClientError.invalidResponse("The server sent an invalid event.")
}

/// A buffer that splits received parts into lines.
struct LineBuffer {
    private let maximumBytes: Int
    private var pending: [UInt8] = []

    /// - Parameter maximumBytes: The maximum length of a line.
    init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

    /// Appends a part, and passes on each complete line without its newline.
    ///
    /// - Throws: `invalidResponse` if a line is too long, and the errors of the closure.
    mutating func append(
        _ part: UnsafeRawBufferPointer,
        _ take: ([UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        var rest = part[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = pending + rest[..<end]
            pending = []
            rest = rest[(end + 1)...]
            guard line.count <= maximumBytes else { throw tooLong }
            try take(line)
        }
        guard pending.count + rest.count <= maximumBytes else { throw tooLong }
        pending.append(contentsOf: rest)
    }

    private var tooLong: ClientError {
        .invalidResponse("The server sent an event that is larger than \(maximumBytes, counting: "byte").")
    }
}
