import Dispatch
import Foundation
import Glibc
import Locks

/// Listens on a free port of loopback, and has each connection served on a thread of its own.
final class LoopbackListener: Sendable {
    private let socket: Int32
    private let connections = Lock<Set<Int32>>([])
    private let group = DispatchGroup()
    let port: UInt16

    /// A listener whose connections are served so: the first has the number 0, and each is closed when that returns.
    init(_ serve: @escaping @Sendable (_ connection: Int32, _ number: Int) -> Void) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = socket
        let isListening = withUnsafeMutablePointer(to: &name) { name in
            // SAFETY: a sockaddr_in is a sockaddr, and its size is given.
            name.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) == 0 && listen(socket, 64) == 0 && getsockname(socket, $0, &size) == 0
            }
        }
        port = UInt16(bigEndian: name.sin_port)
        guard isListening else { throw ChildProcess.Trouble(what: "listen", number: errno) }
        let (connections, group) = (connections, group)
        group.enter()
        // Threads and not a queue of Dispatch, which makes another one for those that block after a second only.
        Thread.detachNewThread {
            defer { group.leave() }
            var number = 0
            while true {
                let connection = accept(socket, nil, nil)
                guard connection >= 0 else { return }
                connections.withLock { _ = $0.insert(connection) }
                let index = number
                number += 1
                group.enter()
                Thread.detachNewThread {
                    defer { group.leave() }
                    serve(connection, index)
                    connections.withLock { _ = $0.remove(connection) }
                    close(connection)
                }
            }
        }
    }

    /// Ends the listener and what is connected.
    func stop() {
        shutdown(socket, Int32(SHUT_RDWR))
        connections.withLock { for connection in $0 { shutdown(connection, Int32(SHUT_RDWR)) } }
        group.wait()
        close(socket)
    }
}

/// Plain calls on a connection that may have gone.
enum Connection {
    /// What comes next; empty at the end.
    static func receive(_ connection: Int32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            count = max(recv(connection, buffer.baseAddress, buffer.count, 0), 0)
        }
    }

    /// Whether all of it could be sent.
    @discardableResult
    static func send(_ bytes: some Collection<UInt8>, to connection: Int32) -> Bool {
        let bytes = Array(bytes)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
