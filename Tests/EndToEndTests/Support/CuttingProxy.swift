import Glibc
import Locks

/// Stands between a client and a server, notes what is asked, and cuts connections off.
final class CuttingProxy {
    private let listener: LoopbackListener
    private let lines: Lock<[String]>
    private let count: Lock<Int>

    var port: UInt16 { listener.port }

    /// The request lines that have come, without their versions.
    var requests: [String] { lines.withLock { $0 } }

    /// How many connections there were.
    var connections: Int { count.withLock { $0 } }

    /// A proxy to the server on that port; the limit is after how many bytes of answers the connection of that number is
    /// cut off, `nil` for never.
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

    private static func relay(_ client: Int32, to port: UInt16, limit: Int?, _ note: ([UInt8]) -> Void) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(server) }
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &name) {
            // SAFETY: a sockaddr_in is a sockaddr, and its size is given.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { return }
        var left = limit ?? .max
        while true {
            var polled = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&polled, 2, 60_000) > 0 else { return }
            if polled[0].revents != 0 {
                let part = Connection.receive(client)
                note(part)
                guard !part.isEmpty, Connection.send(part, to: server) else { return }
            }
            if polled[1].revents != 0 {
                let part = Connection.receive(server)
                guard !part.isEmpty, Connection.send(part.prefix(left), to: client) else { return }
                left -= min(left, part.count)
                if left == 0 { return }
            }
        }
    }

    /// The request line at the beginning of a part of what a client sends, if one is there: a head comes in one piece, and
    /// behind the answer to what was before it.
    private static func requestLine(_ part: [UInt8]) -> String? {
        guard let end = part.prefix(8 << 10).firstIndex(of: UInt8(ascii: "\r")) else { return nil }
        let line = String(decoding: part[..<end], as: UTF8.self)
        return line.hasSuffix(" HTTP/1.1") ? String(line.dropLast(9)) : nil
    }
}
