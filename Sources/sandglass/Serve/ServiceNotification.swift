internal import Glibc

/// Notifications of the service manager about the state of the service (sd_notify(3)).
///
/// The protocol is one datagram to a socket that the manager names, which does not justify a library.
enum ServiceNotification {
    /// Reports that the service accepts connections.
    static func ready() { send("READY=1") }

    /// Reports that the service is stopping.
    static func stopping() { send("STOPPING=1") }

    private static func send(_ state: String) {
        guard let name = getenv("NOTIFY_SOCKET") else { return }
        var path = Array(String(cString: name).utf8)
        // A leading @ stands for the NUL of an abstract name (unix(7)).
        guard path.first == UInt8(ascii: "/") || path.first == UInt8(ascii: "@") else { return }
        let isAbstract = path[0] == UInt8(ascii: "@")
        if isAbstract { path[0] = 0 }
        var address = sockaddr_un()
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        let length = socklen_t(offset + path.count + (isAbstract ? 0 : 1))
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let text = Array(state.utf8)
        withUnsafePointer(to: &address) { pointer in
            // SAFETY: every kind of address begins like sockaddr, and the call reads `length` bytes of this one.
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), address, length)
            }
        }
    }
}
