import Glibc
import Testing

/// A blocking client that sends exactly the bytes of a test.
final class Client {
    struct Response: Equatable {
        var status: Int
        var headers: [String: String]
        var body: String
        var version: String
    }

    /// The server refused, closed or reset the connection.
    struct ConnectionFailed: Error {}

    let descriptor: Int32
    private var received: [UInt8] = []
    /// The pause after each received megabyte, in milliseconds.
    private var pause: UInt32 = 0

    /// Creates a client.
    ///
    /// - Parameters:
    ///   - server: The server.
    ///   - source: One of this machine's own addresses to connect from, or nil for the kernel's choice.
    ///   - connects: Whether to connect at once.
    /// - Throws: `ConnectionFailed` if the server cannot be reached.
    init(_ server: ServerThread, from source: String? = nil, connects: Bool = true) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var timeout = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        if let source {
            let isBound = Self.withAddress(source, 0) { bind(descriptor, $0, $1) }
            guard isBound == 0 else { throw ConnectionFailed() }
        }
        if connects { try connect(to: server) }
    }

    func connect(to server: ServerThread) throws {
        let connected = Self.withAddress("127.0.0.1", server.port) { Glibc.connect(descriptor, $0, $1) }
        guard connected == 0 else { throw ConnectionFailed() }
    }

    private static func withAddress(
        _ literal: String,
        _ port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, literal, &address.sin_addr)
        return withUnsafePointer(to: &address) {
            // SAFETY: a sockaddr_in is a sockaddr, and the call gets its size.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    deinit {
        close(descriptor)
    }

    // MARK: Sending

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ConnectionFailed() }
            sent += count
        }
    }

    func get(_ target: String, headers: String = "") throws {
        try send("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n")
    }

    /// Closes the sending side only.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Makes the server see a reset instead of an end of the stream when this client is released.
    func resetOnClose() {
        var immediately = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &immediately, socklen_t(MemoryLayout<linger>.size))
    }

    // MARK: Receiving

    /// Returns whether bytes arrive, or the connection ends, within this time.
    func hasResponse(withinMilliseconds time: Int32) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, time) > 0
    }

    /// Returns whether another response begins before the server closes the connection.
    func hasMore() -> Bool {
        if !received.isEmpty { return true }
        return ((try? receive()) ?? 0) > 0
    }

    /// Reads until the server closes the connection, and returns whether no more bytes arrived.
    func isClosed() throws -> Bool {
        if !received.isEmpty { return false }
        return try receive() == 0
    }

    /// Reads until the server closes the connection, and returns everything it sent.
    func textUntilClose() throws -> String {
        while try receive() > 0 {}
        return String(decoding: received, as: UTF8.self)
    }

    /// Reads and drops all bytes until the server closes the connection, and throws if the server resets it.
    func readUntilClose() throws {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 { throw ConnectionFailed() }
            if count == 0 { return }
        }
    }

    /// Reads one response.
    ///
    /// - Parameters:
    ///   - toHead: Whether the request was HEAD, so that no body follows.
    ///   - pause: The pause after each megabyte, in milliseconds.
    /// - Returns: The response.
    /// - Throws: A failure if the connection ends before the response is complete.
    func response(toHead: Bool = false, pausingMilliseconds pause: UInt32 = 0) throws -> Response {
        self.pause = pause
        defer { self.pause = 0 }
        return try response(head: head(), toHead: toHead)
    }

    /// Reads the head of a response.
    func head() throws -> String {
        while true {
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
                received.removeFirst(end.upperBound)
                return head
            }
            try #require(try receive() > 0, "the connection ended within the head of a response")
        }
    }

    /// Reads a chunk of a body, and returns its size in bytes, which is 0 for the last chunk.
    func chunk() throws -> Int {
        while true {
            if let end = received.firstRange(of: Array("\r\n".utf8)) {
                let size = try #require(Int(String(decoding: received[..<end.lowerBound], as: UTF8.self), radix: 16))
                if received.count >= end.upperBound + size + 2 {
                    received.removeFirst(end.upperBound + size + 2)
                    return size
                }
            }
            try #require(try receive() > 0, "the connection ended within a chunk")
        }
    }

    private func response(head: String, toHead: Bool) throws -> Response {
        let lines = head.split(separator: "\r\n")
        let words = try #require(lines.first).split(separator: " ", maxSplits: 2)
        let status = try #require(Int(words[1]))
        var response = Response(status: status, headers: [:], body: "", version: String(words[0]))
        for line in lines.dropFirst() {
            let colon = try #require(line.firstIndex(of: ":"))
            response.headers[line[..<colon].lowercased()] = String(line[line.index(colon, offsetBy: 2)...])
        }
        if response.status == 100 { return response }
        let length = toHead ? 0 : try #require(response.headers["content-length"].flatMap { Int($0) })
        while received.count < length { try #require(try receive() > 0, "the connection ended within a body") }
        response.body = String(decoding: received[..<length], as: UTF8.self)
        received.removeFirst(length)
        return response
    }

    private func receive() throws -> Int {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count < 0 {
            try #require(errno == ECONNRESET, "no bytes arrived in time")
            return 0
        }
        if pause > 0, (received.count + count) >> 20 != received.count >> 20 { usleep(pause * 1_000) }
        received += buffer[..<count]
        return count
    }
}
