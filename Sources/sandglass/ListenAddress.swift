/// Where to listen: `127.0.0.1:8080`, `localhost:0`, `[::1]:8080`.
struct ListenAddress: Sendable {
    static let standard = ListenAddress(host: "127.0.0.1", port: 8080)

    let host: String
    let port: UInt16

    private init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    init?(_ argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...])
        else { return nil }
        var host = argument[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: port)
    }

    /// Whether only this machine can reach it.
    var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

    /// Whether it is every address of this machine.
    var isWildcard: Bool { host == "0.0.0.0" || host == "::" }
}
