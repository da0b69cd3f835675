import Dispatch
import Foundation
import Glibc
import System
import TestSupport

/// A listener on a free loopback port that serves each connection on a thread of its own.
final class LoopbackListener: Sendable {
    private let socket: Int32
    private let connections = Lock<Set<Int32>>([])
    private let group = DispatchGroup()
    let port: UInt16

    /// Starts the listener, which calls `serve` for each connection and closes the connection afterwards.
    ///
    /// Connections are numbered from 0.
    init(_ serve: @escaping @Sendable (_ connection: Int32, _ number: Int) -> Void) throws {
        socket = try LoopbackSocket.make()
        port = try LoopbackSocket.bindToFreePort(socket)
        guard listen(socket, 64) == 0 else { throw SystemError("listen") }
        let (socket, connections, group) = (socket, connections, group)
        group.enter()
        // A Dispatch queue would take a second to add a thread beside the ones that block.
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

    /// Closes the listener and all connections, and waits for their threads.
    func stop() {
        shutdown(socket, Int32(SHUT_RDWR))
        connections.withLock { for connection in $0 { shutdown(connection, Int32(SHUT_RDWR)) } }
        group.wait()
        close(socket)
    }
}

/// A receiver of datagrams that commands send when they start.
///
/// A server's documents show how often it reports a run; the datagrams show how often the command was executed.
final class AnnouncementListener: Sendable {
    private let socket: Int32
    let port: UInt16

    init() throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        // The buffer holds all datagrams that arrive before the test reads them.
        var size: Int32 = 8 << 20
        setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
        port = try LoopbackSocket.bindToFreePort(socket)
    }

    deinit { close(socket) }

    /// Returns a command that sends its number.
    ///
    /// The command needs `"network": "host"`.
    func command(_ number: Int) -> [String] { ["bash", "-c", "echo \(number) > /dev/udp/127.0.0.1/\(port)"] }

    /// Returns the numbers that arrived since the last call, in their order.
    func numbers() -> [Int] {
        var numbers: [Int] = []
        var part = [UInt8](repeating: 0, count: 64)
        while true {
            let count = recv(socket, &part, part.count, 0)
            guard count > 0 else { return numbers }
            let text = String(decoding: part[..<count], as: UTF8.self)
            numbers += text.split(separator: "\n").compactMap { Int($0) }
        }
    }
}
