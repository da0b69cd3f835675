internal import Glibc
package import System

/// One HTTP connection over a blocking socket.
///
/// It sends exactly the bytes of the test.
///
/// Its functions throw `SystemError` if the server refuses, closes or resets the connection, or is silent for a minute.
package final class HTTPClient {
    /// The socket, for calls that this class lacks.
    package let descriptor: Int32
    private var received: [UInt8] = []

    /// Creates a client that is not connected.
    package init() throws(SystemError) {
        descriptor = try LoopbackSocket.make()
        var timeout = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Creates a client and connects it.
    ///
    /// - Parameters:
    ///   - port: The server's port on loopback.
    ///   - source: One of this machine's own addresses to connect from, or nil for the kernel's choice.
    /// - Throws: `SystemError` if the server refuses the connection.
    package convenience init(port: UInt16, from source: String? = nil) throws(SystemError) {
        try self.init()
        if let source { try LoopbackSocket.bind(descriptor, to: source) }
        try connect(to: port)
    }

    deinit { close(descriptor) }

    /// Connects to a port on loopback.
    package func connect(to port: UInt16) throws(SystemError) {
        try LoopbackSocket.connect(descriptor, to: port)
    }

    // MARK: Sending

    /// Sends a text as it is.
    package func send(_ text: String) throws(SystemError) { try send(Array(text.utf8)) }

    /// Sends bytes as they are.
    package func send(_ bytes: [UInt8]) throws(SystemError) {
        guard LoopbackSocket.send(bytes, to: descriptor) else { throw SystemError("send") }
    }

    /// Sends a request, with `Host: localhost` unless another host is given, and with `Content-Length` if it has a body.
    package func request(
        _ method: String,
        _ target: String,
        _ headers: [String] = [],
        body: [UInt8]? = nil
    ) throws(SystemError) {
        var lines = ["\(method) \(target) HTTP/1.1"]
        if !headers.contains(where: { $0.lowercased().hasPrefix("host:") }) { lines.append("Host: localhost") }
        lines += headers
        if let body { lines.append("Content-Length: \(body.count)") }
        try send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? []))
    }

    /// Sends a GET request.
    package func get(_ target: String, _ headers: [String] = []) throws(SystemError) {
        try request("GET", target, headers)
    }

    /// Closes the sending side only.
    package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Makes the server see a reset and not the end of the stream when this client is deallocated.
    package func resetOnClose() {
        var immediately = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &immediately, socklen_t(MemoryLayout<linger>.size))
    }

    // MARK: Receiving

    /// Returns true if bytes arrived or the connection ended within the time.
    package func hasResponse(withinMilliseconds time: Int32) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, time) > 0
    }

    /// Returns true if another response begins, and false if the server closes the connection.
    package func hasMore() throws(SystemError) -> Bool {
        if !received.isEmpty { return true }
        return try receive()
    }

    /// Reads until the server closes or resets the connection, and returns true if no more bytes arrived.
    package func isClosed() throws(SystemError) -> Bool { try !hasMore() }

    /// Reads until the server closes or resets the connection, and returns everything it sent.
    package func textUntilClose() throws(SystemError) -> String {
        while try receive() {}
        return String(decoding: received, as: UTF8.self)
    }

    /// Reads and drops all bytes until the server closes the connection, and throws if the server resets it.
    package func drainUntilClose() throws(SystemError) {
        while try receive(allowsReset: false) { received.removeAll(keepingCapacity: true) }
    }

    /// Reads the head of a response, whose body is not read.
    package func head() throws(SystemError) -> HTTPResponse { try HTTPResponse(head: line(endingIn: "\r\n\r\n")) }

    /// Reads one response.
    ///
    /// - Parameters:
    ///   - isToHead: True if the request was HEAD, so that no body follows.
    ///   - pause: The pause after each megabyte, in milliseconds.
    /// - Returns: The response.
    /// - Throws: `SystemError` if the connection ends before the response is complete, or if the response has no length.
    package func response(
        toHead isToHead: Bool = false,
        pausingMilliseconds pause: UInt32 = 0
    ) throws(SystemError) -> HTTPResponse {
        var response = try head()
        if isToHead || response.hasNoBody { return response }
        if response.headers["transfer-encoding"] == "chunked" {
            while let chunk = try chunk() { response.body += chunk }
            return response
        }
        guard let length = response.headers["content-length"].flatMap({ Int($0) }) else {
            throw SystemError("find the length of the body", number: EBADMSG)
        }
        while received.count < length {
            let before = received.count >> 20
            try receiveMore()
            if pause > 0, received.count >> 20 != before { usleep(pause * 1_000) }
        }
        response.body = Array(received[..<length])
        received.removeFirst(length)
        return response
    }

    /// Reads the next part of a chunked body; returns `nil` at its end.
    package func chunk() throws(SystemError) -> [UInt8]? {
        guard let size = Int(try line(endingIn: "\r\n"), radix: 16) else {
            throw SystemError("read a chunk", number: EBADMSG)
        }
        while received.count < size + 2 { try receiveMore() }
        let chunk = Array(received[..<size])
        received.removeFirst(size + 2)
        return chunk.isEmpty ? nil : chunk
    }

    /// Reads until the server closes the connection and splits the bytes into responses.
    ///
    /// A response to HEAD is followed by another head or by nothing, whatever its length says; `mayHaveHeads` allows them.
    /// Bytes that belong to no response are an error.
    package func responsesToTheEnd(mayHaveHeads: Bool) throws(SystemError) -> [HTTPResponse] {
        while try receive() {}
        var responses: [HTTPResponse] = []
        while received.firstRange(of: Array("\r\n\r\n".utf8)) != nil {
            var response = try head()
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

    /// Reads a text up to an end, which is dropped.
    private func line(endingIn end: String) throws(SystemError) -> String {
        while true {
            if let range = received.firstRange(of: Array(end.utf8)) {
                let line = String(decoding: received[..<range.lowerBound], as: UTF8.self)
                received.removeFirst(range.upperBound)
                return line
            }
            try receiveMore()
        }
    }

    /// Receives more bytes, and throws if the connection ends.
    private func receiveMore() throws(SystemError) {
        guard try receive() else { throw SystemError("receive", number: ECONNRESET) }
    }

    /// Receives more bytes; returns false if the connection ended.
    private func receive(allowsReset: Bool = true) throws(SystemError) -> Bool {
        do throws(SystemError) {
            let part = try LoopbackSocket.read(descriptor)
            received += part
            return !part.isEmpty
        } catch  where error.number == ECONNRESET && allowsReset {
            return false
        }
    }
}
