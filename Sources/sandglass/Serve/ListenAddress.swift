internal import HTTPServer
internal import Settings

/// An address to listen on: `127.0.0.1:8080`, `localhost:0`, `[::1]:8080`.
struct ListenAddress: Sendable, CustomStringConvertible {
    static let `default` = ListenAddress(host: "127.0.0.1", port: 8080)

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

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// True if only this machine can reach the address.
    var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

    /// True if the address means all addresses of this machine.
    var isWildcard: Bool { host == "0.0.0.0" || host == "::" }
}

/// The paths of a server's certificate chain and private key.
struct TLSFiles {
    /// The maximum size of a file in bytes; a certificate chain has a few kilobytes.
    private static let maximumBytes = 1 << 20

    let certificate: String
    let key: String

    /// Reads both files.
    ///
    /// The HTTP server checks at its start whether they match.
    func read() throws(SettingError) -> TLSIdentity {
        TLSIdentity(certificateChain: try Self.read(certificate), privateKey: try Self.read(key))
    }

    private static func read(_ path: String) throws(SettingError) -> [UInt8] {
        do throws(SettingError) {
            return try ConfigurationFile.contents(of: path, atMost: maximumBytes)
        } catch {
            throw SettingError("The file \(path) cannot be used: \(error)")
        }
    }
}
