import Glibc

/// One connection: a blocking socket that sends just the bytes it is told to.
final class HTTPClient {
    /// The connection was refused, closed or reset, or nothing came for a minute.
    struct Broken: Error {
        let what: String
        let number: Int32
    }

    private let socket: Int32
    private var received: [UInt8] = []

    init(port: UInt16) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &name) {
            // SAFETY: a sockaddr_in is a sockaddr, and its size is given.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        // The socket is closed by deinit, which runs although this throws.
        guard result == 0 else { throw Broken(what: "connect", number: errno) }
    }

    deinit { close(socket) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Broken(what: "send", number: errno) }
            sent += count
        }
    }

    /// Sends a request; `Host` is added, and `Content-Length` if there is a body.
    func request(_ method: String, _ target: String, _ headers: [String] = [], body: [UInt8]? = nil) throws {
        var lines = ["\(method) \(target) HTTP/1.1"] + headers
        if !headers.contains(where: { $0.lowercased().hasPrefix("host:") }) { lines.append("Host: localhost") }
        if let body { lines.append("Content-Length: \(body.count)") }
        try send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? []))
    }

    /// Closes the sending side only.
    func finishSending() { shutdown(socket, Int32(SHUT_WR)) }

    /// Makes the server see a reset, not an end of the stream, when this client is let go.
    func resetAtEnd() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }

    /// Reads one answer; one to HEAD has no body whatever its length says.
    func answer(toHead head: Bool = false) throws -> HTTPAnswer {
        var end = received.firstRange(of: Array("\r\n\r\n".utf8))
        while end == nil {
            try receive()
            end = received.firstRange(of: Array("\r\n\r\n".utf8))
        }
        guard let end else { throw Broken(what: "head", number: 0) }
        var answer = HTTPAnswer(head: String(decoding: received[..<end.lowerBound], as: UTF8.self))
        received.removeFirst(end.upperBound)
        if head { return answer }
        if answer.headers["transfer-encoding"] == "chunked" {
            while let chunk = try chunk() { answer.body += chunk }
            return answer
        }
        let length = answer.headers["content-length"].flatMap { Int($0) } ?? 0
        while received.count < length { try receive() }
        answer.body = Array(received[..<length])
        received.removeFirst(length)
        return answer
    }

    /// Reads the next part of a chunked body; `nil` at its end.
    func chunk() throws -> [UInt8]? {
        let line = Array("\r\n".utf8)
        var end = received.firstRange(of: line)
        while end == nil {
            try receive()
            end = received.firstRange(of: line)
        }
        guard let end, let size = Int(String(decoding: received[..<end.lowerBound], as: UTF8.self), radix: 16) else {
            throw Broken(what: "chunk", number: 0)
        }
        while received.count < end.upperBound + size + 2 { try receive() }
        let chunk = Array(received[end.upperBound..<end.upperBound + size])
        received.removeFirst(end.upperBound + size + 2)
        return chunk.isEmpty ? nil : chunk
    }

    /// Reads until the server closes.
    func rest() -> [UInt8] {
        while (try? receive()) != nil {}
        return received
    }

    /// Whether bytes came, or the connection ended, within that time.
    func hasAnswer(withinMilliseconds time: Int32) -> Bool {
        var polled = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, time) > 0
    }

    /// Reads until the server closes, and takes what came for answers; throws if something is left over.
    ///
    /// An answer whose body is said to be missing because it is one to HEAD is followed by another head, or by nothing.
    func answersToTheEnd(mayHaveHeads: Bool) throws -> [HTTPAnswer] {
        while (try? receive()) != nil {}
        var answers: [HTTPAnswer] = []
        while let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
            var answer = HTTPAnswer(head: String(decoding: received[..<end.lowerBound], as: UTF8.self))
            received.removeFirst(end.upperBound)
            let length = answer.headers["content-length"].flatMap { Int($0) } ?? 0
            let isToHead = mayHaveHeads && (received.isEmpty || received.starts(with: Array("HTTP/1.1 ".utf8)))
            if !isToHead {
                guard received.count >= length else { throw Broken(what: "body", number: 0) }
                answer.body = Array(received[..<length])
                received.removeFirst(length)
            }
            answers.append(answer)
        }
        guard received.isEmpty else { throw Broken(what: "bytes between answers", number: 0) }
        return answers
    }

    /// The status that `GET /healthz` answers.
    func health() throws -> Int {
        try request("GET", "/healthz")
        return try answer().status
    }

    private func receive() throws {
        let part = [UInt8](unsafeUninitializedCapacity: 256 << 10) { buffer, count in
            count = max(recv(socket, buffer.baseAddress, buffer.count, 0), 0)
        }
        guard !part.isEmpty else { throw Broken(what: "receive", number: errno) }
        received += part
    }
}
