import Dispatch
import Foundation
import Glibc
import System

/// Blocking calls on IPv4 sockets of the loopback interface.
enum LoopbackSocket {
    /// Returns a socket that is connected to a port.
    static func connect(to port: UInt16) throws(SystemError) -> Int32 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = address(port: port)
        let result = withUnsafePointer(to: &address) {
            // SAFETY: a sockaddr_in is a sockaddr, and its size is given.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            let failure = SystemError("connect")
            close(socket)
            throw failure
        }
        return socket
    }

    /// Binds a socket to a free port and returns that port.
    static func bindToFreePort(_ socket: Int32) throws(SystemError) -> UInt16 {
        var address = address(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { address in
            // SAFETY: a sockaddr_in is a sockaddr, and its size is given.
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) == 0 && getsockname(socket, $0, &size) == 0
            }
        }
        guard isBound else { throw SystemError("bind") }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Reads the next bytes from a connection; returns an empty array at its end.
    static func receive(_ connection: Int32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 256 << 10) { buffer, count in
            count = max(recv(connection, buffer.baseAddress, buffer.count, 0), 0)
        }
    }

    /// Sends all bytes; returns false if the connection broke before.
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

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

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
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
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
