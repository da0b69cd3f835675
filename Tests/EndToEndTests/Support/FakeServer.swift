import Foundation
import Glibc
import System
import TestSupport

/// A server whose responses a test writes.
///
/// It closes each connection after one response.
final class FakeServer {
    /// A request as it arrived.
    struct Request {
        /// Method and target, such as `GET /runs`.
        let line: String
        let head: String
        let body: [UInt8]
    }

    private let listener: LoopbackListener

    var url: String { "http://127.0.0.1:\(listener.port)" }

    /// Starts a server.
    ///
    /// `respond` returns the whole response, beginning with its status line.
    init(_ respond: @escaping @Sendable (Request) -> [UInt8]) throws {
        listener = try LoopbackListener { connection, _ in
            guard let request = Self.read(connection) else { return }
            LoopbackSocket.send(respond(request), to: connection)
            // The sent bytes arrive even if the client is still sending.
            shutdown(connection, Int32(SHUT_WR))
            while !LoopbackSocket.receive(connection).isEmpty {}
        }
    }

    deinit { listener.stop() }

    /// Returns a response with a body.
    static func response(_ status: String, _ headers: [String] = [], _ body: [UInt8]) -> [UInt8] {
        let head = ["HTTP/1.1 \(status)", "Content-Length: \(body.count)", "Connection: close"] + headers
        return Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }

    /// Returns a response whose body is JSON.
    static func json(_ status: String, _ headers: [String] = [], _ object: Any) -> [UInt8] {
        let body = (try? JSONSerialization.data(withJSONObject: object)) ?? Data()
        return response(status, ["Content-Type: application/json"] + headers, Array(body))
    }

    private static func read(_ connection: Int32) -> Request? {
        var received: [UInt8] = []
        while true {
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
                let length = (try? HTTPResponse.fields(ofHead: head))?["content-length"].flatMap { Int($0) } ?? 0
                if received.count >= end.upperBound + length {
                    let line = head.prefix { $0 != "\r\n" }.replacingOccurrences(of: " HTTP/1.1", with: "")
                    return Request(line: line, head: head, body: Array(received[end.upperBound...]))
                }
            }
            let part = LoopbackSocket.receive(connection)
            guard !part.isEmpty else { return nil }
            received += part
        }
    }
}

/// Documents of runs for a ``FakeServer``.
enum FakeRun {
    static let id = "01M82SD0SKBQ831DSGRR58G3G2"

    static var running: [String: Any] { ["id": id, "state": "running", "command": ["true"]] }

    static var finished: [String: Any] {
        ["id": id, "state": "finished", "outcome": "exited", "exitCode": 0, "command": ["true"]]
    }

    /// Returns a finished run with artifacts.
    static func finished(_ artifacts: [[String: Any]]) -> [String: Any] {
        finished.merging(["artifacts": artifacts]) { _, own in own }
    }

    /// Returns the last event of a finished run as one line.
    static func endEvent(_ run: [String: Any]) -> [UInt8] {
        let event: [String: Any] = ["event": "end", "id": "0-0-end", "run": run]
        return Array((try? JSONSerialization.data(withJSONObject: event)) ?? Data()) + [UInt8(ascii: "\n")]
    }
}

/// A proxy between a client and a server that records the requests and breaks connections.
final class FaultyProxy {
    private let listener: LoopbackListener
    private let lines: Lock<[String]>
    private let count: Lock<Int>

    var url: String { "http://127.0.0.1:\(listener.port)" }

    /// The request lines so far, without their HTTP versions.
    var requests: [String] { lines.withLock { $0 } }

    /// The number of connections so far.
    var connections: Int { count.withLock { $0 } }

    /// Starts a proxy to a server's port.
    ///
    /// `limit` returns the number of response bytes after which the proxy breaks a connection, or `nil` for never.
    /// Connections are numbered from 0.
    init(to server: UInt16, limit: @escaping @Sendable (_ number: Int) -> Int? = { _ in nil }) throws {
        let (lines, count) = (Lock<[String]>([]), Lock(0))
        (self.lines, self.count) = (lines, count)
        listener = try LoopbackListener { connection, number in
            count.withLock { $0 += 1 }
            Self.relay(connection, to: server, limit: limit(number)) { part in
                guard let line = Self.requestLine(part) else { return }
                lines.withLock { $0.append(line) }
            }
        }
    }

    deinit { listener.stop() }

    private static func relay(_ client: Int32, to port: UInt16, limit: Int?, _ record: ([UInt8]) -> Void) {
        guard let server = try? LoopbackSocket.connect(to: port) else { return }
        defer { close(server) }
        var remaining = limit ?? .max
        while true {
            var polled = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&polled, 2, 60_000) > 0 else { return }
            if polled[0].revents != 0 {
                let part = LoopbackSocket.receive(client)
                record(part)
                guard !part.isEmpty, LoopbackSocket.send(part, to: server) else { return }
            }
            if polled[1].revents != 0 {
                let part = LoopbackSocket.receive(server)
                guard !part.isEmpty, LoopbackSocket.send(part.prefix(remaining), to: client) else { return }
                remaining -= min(remaining, part.count)
                if remaining == 0 { return }
            }
        }
    }

    /// Returns the request line at the beginning of a part, or `nil` if there is none.
    ///
    /// The client sends each head in one piece, and only after the response to the request before.
    private static func requestLine(_ part: [UInt8]) -> String? {
        guard let end = part.prefix(8 << 10).firstIndex(of: UInt8(ascii: "\r")) else { return nil }
        let line = String(decoding: part[..<end], as: UTF8.self)
        return line.hasSuffix(" HTTP/1.1") ? String(line.dropLast(9)) : nil
    }
}
