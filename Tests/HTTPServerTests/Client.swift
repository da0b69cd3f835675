import Glibc
import Testing

/// A blocking client that sends just the bytes it is told to.
final class Client {
    struct Answer: Equatable {
        var status: Int
        var headers: [String: String]
        var body: String
        var version: String
    }

    /// The connection was refused, closed or reset.
    struct Refused: Error {}

    let descriptor: Int32
    private var received: [UInt8] = []
    private var pause: UInt32 = 0

    /// Connects, if it shall, from one of this machine's own addresses.
    init(_ server: ServerThread, from source: String? = nil, connects: Bool = true) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        if let source {
            let isBound = Self.withName(source, 0) { bind(descriptor, $0, $1) }
            guard isBound == 0 else { throw Refused() }
        }
        if connects { try connect(to: server) }
    }

    func connect(to server: ServerThread) throws {
        let connected = Self.withName("127.0.0.1", server.port) { Glibc.connect(descriptor, $0, $1) }
        guard connected == 0 else { throw Refused() }
    }

    private static func withName(
        _ address: String,
        _ port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        inet_pton(AF_INET, address, &name.sin_addr)
        return withUnsafePointer(to: &name) {
            // SAFETY: a sockaddr_in is a sockaddr, and its size is given.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    deinit {
        close(descriptor)
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Refused() }
            sent += count
        }
    }

    func get(_ target: String, headers: String = "") throws {
        try send("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n")
    }

    /// Closes the sending side only.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Makes the server see a reset, not an end of the stream, when this client is let go.
    func resetAtEnd() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }

    /// Whether bytes came, or the connection ended, within that time.
    func hasAnswer(withinMilliseconds time: Int32) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, time) > 0
    }

    /// Whether another answer begins before the server closes.
    func hasMore() -> Bool {
        if !received.isEmpty { return true }
        return ((try? receive()) ?? 0) > 0
    }

    /// Reads until the server closes.
    func textToTheEnd() throws -> String {
        while try receive() > 0 {}
        return String(decoding: received, as: UTF8.self)
    }

    /// Reads and drops all that comes until the server closes; throws if it resets.
    func readToEnd() throws {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 { throw Refused() }
            if count == 0 { return }
        }
    }

    /// Reads one answer, after each megabyte with a pause.
    func answer(toHead: Bool = false, pausingMilliseconds pause: UInt32 = 0) throws -> Answer {
        self.pause = pause
        defer { self.pause = 0 }
        while true {
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
                let head = String(decoding: received[..<(end - 4)], as: UTF8.self)
                received.removeFirst(end)
                return try answer(head: head, toHead: toHead)
            }
            try #require(try receive() > 0, "the connection ended within an answer's head")
        }
    }

    /// Reads the head of an answer.
    func head() throws -> String {
        while true {
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
                received.removeFirst(end.upperBound)
                return head
            }
            try #require(try receive() > 0, "the connection ended within an answer's head")
        }
    }

    /// Reads a part of a chunked body, and says how long it was: 0 at the end.
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

    /// Reads until the server closes; true if it did so without a byte more.
    func isClosed() throws -> Bool {
        if !received.isEmpty { return false }
        return try receive() == 0
    }

    private func answer(head: String, toHead: Bool) throws -> Answer {
        let lines = head.split(separator: "\r\n")
        let words = try #require(lines.first).split(separator: " ", maxSplits: 2)
        var answer = Answer(status: try #require(Int(words[1])), headers: [:], body: "", version: String(words[0]))
        for line in lines.dropFirst() {
            let colon = try #require(line.firstIndex(of: ":"))
            answer.headers[line[..<colon].lowercased()] = String(line[line.index(colon, offsetBy: 2)...])
        }
        if answer.status == 100 { return answer }
        let length = toHead ? 0 : try #require(answer.headers["content-length"].flatMap { Int($0) })
        while received.count < length { try #require(try receive() > 0, "the connection ended within a body") }
        answer.body = String(decoding: received[..<length], as: UTF8.self)
        received.removeFirst(length)
        return answer
    }

    private func receive() throws -> Int {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count < 0 {
            try #require(errno == ECONNRESET, "nothing came")
            return 0
        }
        if pause > 0, (received.count + count) >> 20 != received.count >> 20 { usleep(pause * 1_000) }
        received += buffer[..<count]
        return count
    }
}
