/// The URL of a server: `http://127.0.0.1:8080`, `https://sandglass.example.com/prefix`, `http://[::1]:8080`.
///
/// Source: RFC 3986 §3, RFC 9110 §4.2.
package struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    /// The URL without a trailing slash, so that a path of the API can be appended.
    package let description: String

    /// Parses a URL.
    ///
    /// - Parameter text: `http://` or `https://`, a host, optionally a port, and optionally the path under which a
    ///   proxy offers the service.
    /// - Throws: `invalidArgument` if the URL is invalid.
    package init(_ text: String) throws(ClientError) {
        guard let schemeEnd = text.firstRange(of: "://"),
            ["http", "https"].contains(text[..<schemeEnd.lowerBound].lowercased())
        else { throw Self.fault(text, "it must begin with http:// or https://") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
            throw Self.fault(text, "it must consist of ASCII characters without spaces and backslashes")
        }
        let rest = text[schemeEnd.upperBound...]
        let authority = rest.prefix { !"/?#".contains($0) }
        var path = rest[authority.endIndex...]
        guard !authority.contains("@") else {
            throw Self.fault(text, "it must not contain a user; pass a token with --token-file or SANDGLASS_TOKEN")
        }
        guard !path.contains("?"), !path.contains("#") else {
            throw Self.fault(text, "it must not contain a query or fragment")
        }
        guard Self.isAuthority(authority) else {
            throw Self.fault(text, "it must have a host and may have a port from 1 to 65535, such as http://[::1]:8080")
        }
        guard !path.split(separator: "/").contains(where: { [".", ".."].contains($0) }) else {
            throw Self.fault(text, "its path must not contain the segments . and ..")
        }
        while path.hasSuffix("/") { path.removeLast() }
        description = text[..<schemeEnd.lowerBound].lowercased() + "://" + authority + path
    }

    private static func isAuthority(_ text: Substring) -> Bool {
        var host = text
        var port: Substring?
        if let bracket = text.lastIndex(of: "]") {
            host = text[...bracket]
            let rest = text[text.index(after: bracket)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return false }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        if let port {
            guard port.allSatisfy(\.isNumber), let number = UInt16(port), number > 0 else { return false }
        }
        if host.hasPrefix("[") {
            // A percent sign begins a zone identifier (RFC 6874).
            let literal = host.dropFirst().dropLast().prefix { $0 != "%" }
            return literal.count > 1 && literal.allSatisfy { $0.isHexDigit || ":.".contains($0) }
        }
        return !host.isEmpty && !host.contains(where: { "[]:".contains($0) })
    }

    private static func fault(_ text: String, _ constraint: String) -> ClientError {
        .invalidArgument("'\(text)' is not a valid server URL: \(constraint).")
    }
}
