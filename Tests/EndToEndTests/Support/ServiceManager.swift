import Glibc

/// A service manager's ear: the socket that a service tells how it is (sd_notify(3)).
final class ServiceManager {
    private let socket: Int32
    private let folder: TemporaryFolder

    var path: String { folder.path + "/notify" }

    init() throws {
        folder = try TemporaryFolder()
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        let path = path
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &name) {
            // SAFETY: a sockaddr_un is a sockaddr, and its size is given.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw ChildProcess.Trouble(what: "bind", number: errno) }
        // The service has given up being root by then.
        chmod(folder.path, 0o755)
        chmod(path, 0o777)
    }

    deinit { close(socket) }

    /// What the service says next.
    func next() throws -> String {
        var text = [UInt8](repeating: 0, count: 256)
        let count = recv(socket, &text, text.count, 0)
        guard count > 0 else { throw ChildProcess.Trouble(what: "recv", number: errno) }
        return String(decoding: text[..<count], as: UTF8.self)
    }
}
