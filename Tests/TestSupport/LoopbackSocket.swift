internal import Glibc
package import System

/// Blocking calls on IPv4 sockets of the loopback interface.
package enum LoopbackSocket {
    /// Returns a new TCP socket, which is close-on-exec.
    package static func make() throws(SystemError) -> Int32 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw SystemError("socket") }
        return socket
    }

    /// Returns a socket that is connected to a port.
    package static func connect(to port: UInt16) throws(SystemError) -> Int32 {
        let socket = try make()
        do throws(SystemError) {
            try connect(socket, to: port)
        } catch {
            close(socket)
            throw error
        }
        return socket
    }

    /// Connects a socket to a port.
    package static func connect(_ socket: Int32, to port: UInt16) throws(SystemError) {
        let result = withAddress("127.0.0.1", port) { Glibc.connect(socket, $0, $1) }
        guard result == 0 else { throw SystemError("connect") }
    }

    /// Binds a socket to one of this machine's own addresses, such as `127.0.0.2`, and a free port.
    package static func bind(_ socket: Int32, to address: String) throws(SystemError) {
        let result = withAddress(address, 0) { Glibc.bind(socket, $0, $1) }
        guard result == 0 else { throw SystemError("bind") }
    }

    /// Binds a socket to a free port and returns that port.
    package static func bindToFreePort(_ socket: Int32) throws(SystemError) -> UInt16 {
        try bind(socket, to: "127.0.0.1")
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            // SAFETY: a sockaddr_in is a sockaddr, and its size is given.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
        }
        guard result == 0 else { throw SystemError("getsockname") }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Reads the next bytes from a connection; returns an empty array at its end.
    package static func read(_ connection: Int32) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: 256 << 10) { buffer, count in
            let result = recv(connection, buffer.baseAddress, buffer.count, 0)
            if result < 0 { failure = SystemError("recv") }
            count = max(result, 0)
        }
        if let failure { throw failure }
        return bytes
    }

    /// Reads the next bytes from a connection; returns an empty array at its end and when it fails.
    package static func receive(_ connection: Int32) -> [UInt8] { (try? read(connection)) ?? [] }

    /// Sends all bytes; returns false if the connection broke before.
    @discardableResult
    package static func send(_ bytes: some Collection<UInt8>, to connection: Int32) -> Bool {
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
            // SAFETY: a sockaddr_in is a sockaddr, and its size is given.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
