import Foundation
import Glibc

/// A server that says what a test wants it to say, and closes each connection behind its answer.
final class FakeServer {
    /// A request as it came.
    struct Request {
        /// Such as `GET /runs`.
        let line: String
        let head: String
        let body: [UInt8]
    }

    private let listener: LoopbackListener

    var url: String { "http://127.0.0.1:\(listener.port)" }

    /// A server whose answers are those, each from its status line on.
    init(_ answer: @escaping @Sendable (Request) -> [UInt8]) throws {
        listener = try LoopbackListener { connection, _ in
            guard let request = Self.read(connection) else { return }
            Connection.send(answer(request), to: connection)
            // What has been sent arrives even if the client still sends.
            shutdown(connection, Int32(SHUT_WR))
            while !Connection.receive(connection).isEmpty {}
        }
    }

    deinit { listener.stop() }

    /// An answer with a body.
    static func answer(_ status: String, _ headers: [String] = [], _ body: [UInt8]) -> [UInt8] {
        let head = ["HTTP/1.1 \(status)", "Content-Length: \(body.count)", "Connection: close"] + headers
        return Array((head.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }

    /// An answer with JSON.
    static func json(_ status: String, _ headers: [String] = [], _ object: Any) -> [UInt8] {
        let body = (try? JSONSerialization.data(withJSONObject: object)) ?? Data()
        return answer(status, ["Content-Type: application/json"] + headers, Array(body))
    }

    private static func read(_ connection: Int32) -> Request? {
        var received: [UInt8] = []
        while true {
            if let end = received.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
                let length = HTTPAnswer(head: head).headers["content-length"].flatMap { Int($0) } ?? 0
                if received.count >= end.upperBound + length {
                    let line = head.prefix { $0 != "\r\n" }.replacingOccurrences(of: " HTTP/1.1", with: "")
                    return Request(line: line, head: head, body: Array(received[end.upperBound...]))
                }
            }
            let part = Connection.receive(connection)
            guard !part.isEmpty else { return nil }
            received += part
        }
    }
}
