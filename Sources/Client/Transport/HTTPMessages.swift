internal import Glibc
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
