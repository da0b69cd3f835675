/// Where a server is: `http://127.0.0.1:8080`, `https://sandglass.example.com/prefix`, `http://[::1]:8080`.
///
/// Source: RFC 3986 §3, RFC 9110 §4.2.
public struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address without a slash at its end: a path of the API goes right behind it.
    public let description: String

    /// Reads an address.
    ///
    /// - Parameter text: `http://` or `https://`, a host, perhaps a port, and perhaps the path below which a proxy has the
    ///   service.
    /// - Throws: what it must be, for people.
    public init(_ text: String) throws(ClientError) {
        guard let schemeEnd = text.firstRange(of: "://"),
            ["http", "https"].contains(text[..<schemeEnd.lowerBound].lowercased())
        else { throw Self.fault(text, "it must begin with http:// or https://") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
            throw Self.fault(text, "it must not have spaces, backslashes or other characters than ASCII")
        }
        let rest = text[schemeEnd.upperBound...]
        let authority = rest.prefix { !"/?#".contains($0) }
        var path = rest[authority.endIndex...]
        guard !authority.contains("@") else {
            throw Self.fault(text, "it must not have a user: a token is given by --token-file or SANDGLASS_TOKEN")
        }
        guard !path.contains("?"), !path.contains("#") else { throw Self.fault(text, "it must not have a query") }
        guard Self.isAuthority(authority) else {
            throw Self.fault(text, "it must have a host and perhaps a port from 1 to 65535, such as http://[::1]:8080")
        }
        guard !path.split(separator: "/").contains(where: { [".", ".."].contains($0) }) else {
            throw Self.fault(text, "its path must not have a part . or ..")
        }
        while path.hasSuffix("/") { path.removeLast() }
        description = text[..<schemeEnd.lowerBound].lowercased() + "://" + authority + path
    }

    private static func isAuthority(_ text: Substring) -> Bool {
        var host = text
        var port: Substring?
        if let bracket = text.lastIndex(of: "]") {
            host = text[...bracket]
            let behind = text[text.index(after: bracket)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { return false }
            port = behind.isEmpty ? nil : behind.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        if let port {
            guard port.allSatisfy(\.isNumber), let number = UInt16(port), number > 0 else { return false }
        }
        if host.hasPrefix("[") {
            // Behind a percent sign stands a zone (RFC 6874).
            let literal = host.dropFirst().dropLast().prefix { $0 != "%" }
            return literal.count > 1 && literal.allSatisfy { $0.isHexDigit || ":.".contains($0) }
        }
        return !host.isEmpty && !host.contains(where: { "[]:".contains($0) })
    }

    private static func fault(_ text: String, _ must: String) -> ClientError {
        .wrongCall("'\(text)' is no address of a server: \(must).")
    }
}
