import Foundation
import Glibc
import System

/// One HTTP connection over a blocking socket.
///
/// It sends exactly the bytes of the test.
///
/// Its functions throw `SystemError` if the server refuses, closes or resets the connection, or is silent for a minute.
final class HTTPClient {
    private let socket: Int32
    private var received: [UInt8] = []

    init(port: UInt16) throws {
        socket = try LoopbackSocket.connect(to: port)
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(socket) }

    // MARK: Sending

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        guard LoopbackSocket.send(bytes, to: socket) else { throw SystemError("send") }
    }

    /// Sends a request, with `Host: localhost` unless another host is given, and with `Content-Length` if it has a body.
    func request(_ method: String, _ target: String, _ headers: [String] = [], body: [UInt8]? = nil) throws {
        var lines = ["\(method) \(target) HTTP/1.1"] + headers
        if !headers.contains(where: { $0.lowercased().hasPrefix("host:") }) { lines.append("Host: localhost") }
        if let body { lines.append("Content-Length: \(body.count)") }
        try send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? []))
    }

    /// Closes the sending side only.
    func finishSending() { shutdown(socket, Int32(SHUT_WR)) }

    /// Makes the server see a reset and not the end of the stream when this client is deallocated.
    func resetAtEnd() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }

    // MARK: Receiving

    /// Reads one response.
    ///
    /// The response to a HEAD request has no body whatever its length says.
    func response(toHead head: Bool = false) throws -> HTTPResponse {
        var end = received.firstRange(of: Array("\r\n\r\n".utf8))
        while end == nil {
            try receive()
            end = received.firstRange(of: Array("\r\n\r\n".utf8))
        }
        guard let end else { throw SystemError("read the head", number: EBADMSG) }
        var response = HTTPResponse(head: String(decoding: received[..<end.lowerBound], as: UTF8.self))
        received.removeFirst(end.upperBound)
        if head { return response }
        if response.headers["transfer-encoding"] == "chunked" {
            while let chunk = try chunk() { response.body += chunk }
            return response
        }
        let length = response.headers["content-length"].flatMap { Int($0) } ?? 0
        while received.count < length { try receive() }
        response.body = Array(received[..<length])
        received.removeFirst(length)
        return response
    }

    /// Reads the next part of a chunked body; returns `nil` at its end.
    func chunk() throws -> [UInt8]? {
        let line = Array("\r\n".utf8)
        var end = received.firstRange(of: line)
        while end == nil {
            try receive()
            end = received.firstRange(of: line)
        }
        guard let end, let size = Int(String(decoding: received[..<end.lowerBound], as: UTF8.self), radix: 16) else {
            throw SystemError("read a chunk", number: EBADMSG)
        }
        while received.count < end.upperBound + size + 2 { try receive() }
        let chunk = Array(received[end.upperBound..<end.upperBound + size])
        received.removeFirst(end.upperBound + size + 2)
        return chunk.isEmpty ? nil : chunk
    }

    /// Reads until the server closes the connection.
    func rest() -> [UInt8] {
        while (try? receive()) != nil {}
        return received
    }

    /// Returns true if bytes arrived or the connection ended within the time.
    func hasResponse(withinMilliseconds time: Int32) -> Bool {
        var polled = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, time) > 0
    }

    /// Reads until the server closes the connection and splits the bytes into responses.
    ///
    /// A response to HEAD is followed by another head or by nothing, whatever its length says; `mayHaveHeads` allows them.
    /// Bytes that belong to no response are an error.
    func responsesToTheEnd(mayHaveHeads: Bool) throws -> [HTTPResponse] {
        while (try? receive()) != nil {}
        var responses: [HTTPResponse] = []
        while let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
            var response = HTTPResponse(head: String(decoding: received[..<end.lowerBound], as: UTF8.self))
            received.removeFirst(end.upperBound)
            let length = response.headers["content-length"].flatMap { Int($0) } ?? 0
            let isToHead = mayHaveHeads && (received.isEmpty || received.starts(with: Array("HTTP/1.1 ".utf8)))
            if !isToHead {
                guard received.count >= length else { throw SystemError("read the body", number: EBADMSG) }
                response.body = Array(received[..<length])
                received.removeFirst(length)
            }
            responses.append(response)
        }
        guard received.isEmpty else { throw SystemError("split the responses", number: EBADMSG) }
        return responses
    }

    /// Requests `/healthz` and returns the status.
    func health() throws -> Int {
        try request("GET", "/healthz")
        return try response().status
    }

    private func receive() throws {
        let part = LoopbackSocket.receive(socket)
        guard !part.isEmpty else { throw SystemError("receive") }
        received += part
    }
}

/// An HTTP response.
struct HTTPResponse {
    let status: Int
    /// The fields by their names in lower case; repeated fields are joined with commas.
    let headers: [String: String]
    var body: [UInt8] = []

    init(head: String) {
        let lines = head.components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        status = words.count > 1 ? Int(words[1]) ?? 0 : 0
        let fields = lines.dropFirst().compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (line[..<colon].lowercased(), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
        headers = Dictionary(fields) { first, second in first + ", " + second }
    }

    var text: String { String(decoding: body, as: UTF8.self) }

    /// Decodes the run in the body.
    func run() throws -> RunDocument { try JSONDecoder().decode(RunDocument.self, from: Data(body)) }

    /// Decodes the page of runs in the body.
    func page() throws -> RunPage { try JSONDecoder().decode(RunPage.self, from: Data(body)) }

    /// Decodes the problem (RFC 9457) in the body.
    func problem() throws -> ProblemDocument { try JSONDecoder().decode(ProblemDocument.self, from: Data(body)) }
}
