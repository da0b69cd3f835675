internal import Glibc

/// A socket that listens for TCP connections.
final class ListeningSocket {
    /// The address bound, as a literal.
    let address: String
    let port: UInt16
    let descriptor: Int32
    private var isOpen = true

    /// The address and the port.
    var description: String { address.utf8.contains(UInt8(ascii: ":")) ? "[\(address)]:\(port)" : "\(address):\(port)" }

    /// Creates, binds and listens.
    init(address: String, port: UInt16) throws(HTTPServerError) {
        var name = try SocketAddress(address, port: port)
        func failure(_ operation: HTTPServerError.Operation, _ code: Int32) -> HTTPServerError {
            let host = name.isIPv6 ? "[\(address)]" : address
            return HTTPServerError(operation: operation, subject: "\(host):\(port)", errno: code)
        }
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let created = socket(name.isIPv6 ? AF_INET6 : AF_INET, type, 0)
        guard created >= 0 else { throw failure(.createSocket, errno) }
        descriptor = created
        do throws(HTTPServerError) {
            // A restarted server must not wait for connections in TIME_WAIT. Accepted sockets inherit
            // TCP_NODELAY: an answer's last packet is not held back.
            for (level, option) in [(SOL_SOCKET, SO_REUSEADDR), (Int32(IPPROTO_TCP), TCP_NODELAY)] {
                var on: Int32 = 1
                guard setsockopt(created, level, option, &on, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
                    throw failure(.createSocket, errno)
                }
            }
            guard name.withPointer({ bind(created, $0, $1) }) == 0 else { throw failure(.bind, errno) }
            guard listen(created, SOMAXCONN) == 0 else { throw failure(.listen, errno) }
            guard name.fill({ getsockname(created, $0, $1) }) == 0 else { throw failure(.readAddress, errno) }
        } catch {
            Glibc.close(created)
            throw error
        }
        (self.address, self.port) = (name.literal, name.port)
    }

    deinit {
        close()
    }

    /// Closes it, if it is open.
    func close() {
        guard isOpen else { return }
        isOpen = false
        Glibc.close(descriptor)
    }
}
