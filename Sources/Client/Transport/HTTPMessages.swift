internal import Glibc
internal import JSON
internal import RunAPI
internal import System

/// A request to a server.
struct OutgoingRequest: Sendable {
    /// The body of a request.
    enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// The first `count` bytes of an open file.
        case file(Int32, count: Int)

        /// The length in bytes; `nil` if there is no body.
        var count: Int? {
            switch self {
            case .none: nil
            case .bytes(let bytes): bytes.count
            case .file(_, let count): count
            }
        }
    }

    var method = "GET"
    /// The path and query, relative to the server's address, such as `/runs`.
    var target: String
    var headers: [String] = []
    var body = Body.none
    /// The longest time in which neither side sends a byte.
    var idleTimeout: Duration = .seconds(60)
    /// True if the body of a successful response is passed on in parts instead of being collected.
    var isStreamed = false
    /// The maximum length of a collected response body in bytes.
    var maximumResponseBytes = IncomingResponse.maximumBytes
}

/// A cursor in the body of a request that is being sent.
struct OutgoingBody {
    private let content: OutgoingRequest.Body
    /// The number of bytes that have been read from the body.
    private(set) var sent = 0
    /// True if a file had fewer bytes than announced, or could not be read.
    private(set) var fileChanged = false

    init(_ content: OutgoingRequest.Body) { self.content = content }

    /// Copies the next bytes into a buffer.
    ///
    /// - Returns: The number of bytes; 0 at the end. `nil` if the file has fewer bytes than announced: the request must
    ///   be aborted, because the server would wait for the rest.
    mutating func read(into space: UnsafeMutableRawBufferPointer) -> Int? {
        let length = min(space.count, (content.count ?? 0) - sent)
        guard length > 0 else { return 0 }
        switch content {
        case .none: return 0
        case .bytes(let bytes):
            space.copyBytes(from: bytes[sent..<sent + length])
            sent += length
            return length
        case .file(let descriptor, _):
            let count = FileIO.retrying { pread(descriptor, space.baseAddress, length, sent) }
            guard count > 0 else {
                fileChanged = true
                return nil
            }
            sent += count
            return count
        }
    }

    /// Moves the cursor.
    ///
    /// libcurl sends a body again if a kept connection turns out to be closed.
    ///
    /// - Returns: Whether the offset is inside the body.
    mutating func seek(to offset: Int) -> Bool {
        guard let count = content.count, (0...count).contains(offset) else { return false }
        sent = offset
        return true
    }
}

/// A response of a server.
struct IncomingResponse: Sendable {
    /// The maximum length of a body.
    ///
    /// A run document has 1 MiB of each stream, and JSON may need six bytes for each byte.
    static let maximumBytes = 64 << 20

    let status: Int
    private let headers: [(name: String, value: String)]
    /// The body; empty if it was passed on in parts.
    var body: [UInt8] = []

    /// - Parameters:
    ///   - status: The status code (RFC 9110 §15).
    ///   - head: The status line and the header lines.
    init(status: Int, head: String) {
        self.status = status
        // To Swift, CR and LF together are one character.
        headers = head.split(whereSeparator: \.isNewline).dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { " \t".contains($0) }
            return (line[..<colon].lowercased(), String(value))
        }
    }

    var isSuccess: Bool { (200..<300).contains(status) }

    /// The value of a header; names are case-insensitive (RFC 9110 §5.1).
    subscript(name: String) -> String? {
        let name = name.lowercased()
        return headers.first { $0.name == name }?.value
    }
}

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

extension ReceivedRun {
    /// Decodes the document of a run.
    ///
    /// - Throws: `invalidResponse` if the value is not a run.
    init(_ value: JSONValue) throws(ClientError) {
        do throws(MalformedDocument) {
            self = try ReceivedRun(json: value)
        } catch {
            throw ClientError(error)
        }
    }
}

extension RunPage {
    /// Decodes a page of runs.
    ///
    /// - Throws: `invalidResponse` if the value is not a page of runs.
    init(_ value: JSONValue) throws(ClientError) {
        do throws(MalformedDocument) {
            self = try RunPage(json: value)
        } catch {
            throw ClientError(error)
        }
    }
}

extension ClientError {
    /// Converts the error of a document that the contract does not allow.
    init(_ error: MalformedDocument) { self = .invalidResponse(error.description) }
}
