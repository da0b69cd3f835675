import Glibc

/// Hears of commands that begin, from the commands themselves: each sends its number over the host's network.
///
/// What a server says about a run shows how often it is reported; this shows how often it was executed.
final class AnnouncementListener: Sendable {
    private let socket: Int32
    let port: UInt16

    init() throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        // For all that are sent before anybody looks.
        var room: Int32 = 8 << 20
        setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, socklen_t(MemoryLayout<Int32>.size))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = socket
        let isBound = withUnsafeMutablePointer(to: &name) { name in
            // SAFETY: a sockaddr_in is a sockaddr, and its size is given.
            name.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) == 0 && getsockname(socket, $0, &size) == 0
            }
        }
        port = UInt16(bigEndian: name.sin_port)
        guard isBound else { throw ChildProcess.Trouble(what: "bind", number: errno) }
    }

    deinit { close(socket) }

    /// A command that says its number; it needs `"network": "host"`.
    func command(_ number: Int) -> [String] { ["bash", "-c", "echo \(number) > /dev/udp/127.0.0.1/\(port)"] }

    /// What was said since the last look, in its order.
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
