internal import Glibc
internal import HTTPServer
internal import System

/// The URL under which clients reach the server through a proxy, without a trailing slash.
package struct PublicURL: Sendable, Hashable {
    /// The origin of the server's pages: `https://example.com`, with the port if there is one.
    package let origin: String
    /// The path under which the proxy offers the server: empty, or `/builds`.
    package let prefix: String

    /// Parses `http://` or `https://`, a host, optionally a port, and optionally a path.
    package init?(_ text: String) {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else { return nil }
        let authority = text.dropFirst(scheme.count).prefix { $0 != "/" }
        guard ForwardedField.isHost(authority),
            let prefix = Self.prefix(String(text.dropFirst(scheme.count + authority.count)))
        else { return nil }
        (origin, self.prefix) = (scheme + authority.lowercased(), prefix)
    }

    /// The host without the port, as a `Host` header has it.
    package var host: String {
        let authority = origin.dropFirst(origin.hasPrefix("https") ? 8 : 7)
        let end = authority.lastIndex(of: "]").map(authority.index(after:)) ?? authority.firstIndex(of: ":")
        return String(authority[..<(end ?? authority.endIndex)])
    }

    /// Returns a path without its trailing slashes; `nil` if it is not a path that other paths can be appended to.
    ///
    /// Two slashes at its start would name a host instead of a path (RFC 3986, section 4.2).
    static func prefix(_ text: String) -> String? {
        var path = text
        while path.hasSuffix("/") { path.removeLast() }
        guard !path.isEmpty else { return "" }
        guard path.utf8.first == UInt8(ascii: "/") else { return nil }
        let parts = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let areSegments = parts.allSatisfy { part in
            !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
                && part.allSatisfy { $0.isAlphanumericASCII || "-._~!$&'()*+,;=:@%".utf8.contains($0) }
        }
        return areSegments ? path : nil
    }
}

/// The beginning of the URLs in responses, which is empty unless a proxy stands before the server.
///
/// `--public-url` states it. Without that setting the proxies of `--trusted-proxy` may state it in each request. Other
/// clients may not: a shared cache could pass such a response on.
struct PublicAddress: Sendable {
    private let base: String?
    private let proxies: [AddressRange]

    init(_ rules: AccessRules = AccessRules()) {
        base = rules.publicURL.map { $0.origin + $0.prefix }
        proxies = rules.trustedProxies
    }

    /// Returns the text that precedes a path such as `/runs` in a response: empty, `/prefix` or `https://host/prefix`.
    func base(of exchange: Exchange) -> String {
        if let base { return base }
        guard !proxies.isEmpty else { return "" }
        return base(exchange.request.headers, from: exchange.clientAddress)
    }

    /// Returns the base that a request's headers state, if it comes from a trusted proxy.
    func base(_ headers: RequestHeaders, from client: String) -> String {
        guard isTrusted(client) else { return "" }
        // Of several values the last one is that of the nearest proxy.
        let last = headers.values(of: "X-Forwarded-Prefix").last?.split(separator: ",").last
        let prefix = last.flatMap { PublicURL.prefix(Self.trimmed($0)) } ?? ""
        return (origin(headers) ?? "") + prefix
    }

    /// Returns the origin in the header `Forwarded`, as the outermost trusted proxy saw it.
    private func origin(_ headers: RequestHeaders) -> String? {
        guard let elements = ForwardedField.elements(headers.values(of: "Forwarded")) else { return nil }
        var element: [String: String]?
        for previous in elements.reversed() {
            element = previous
            guard let node = previous["for"], isTrusted(ForwardedField.address(of: node)) else { break }
        }
        guard let host = element?["host"], ForwardedField.isHost(host[...]),
            let scheme = element?["proto"]?.lowercased(), ["http", "https"].contains(scheme)
        else { return nil }
        return "\(scheme)://\(host)"
    }

    private func isTrusted(_ address: String) -> Bool { proxies.contains { $0.contains(address) } }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}

/// The header field `Forwarded` (RFC 7239, section 4).
enum ForwardedField {
    /// Returns the elements of all fields in order, each with its parameters by their lowercase names.
    ///
    /// - Returns: The elements; `nil` if the syntax is wrong or a parameter is repeated.
    static func elements(_ fields: [String]) -> [[String: String]]? {
        var elements: [[String: String]] = []
        var rest = Array(fields.joined(separator: ",").utf8)[...]
        while true {
            var element: [String: String] = [:]
            repeat {
                skipSpace(&rest)
                guard let first = rest.first, ![UInt8(ascii: ";"), UInt8(ascii: ",")].contains(first) else { continue }
                let name = String(decoding: rest.prefix { $0.isTokenCharacter }, as: UTF8.self).lowercased()
                rest = rest.dropFirst(name.utf8.count)
                guard !name.isEmpty, rest.popFirst() == UInt8(ascii: "="), let value = value(&rest),
                    element.updateValue(value, forKey: name) == nil
                else { return nil }
                skipSpace(&rest)
            } while take(UInt8(ascii: ";"), &rest)
            if !element.isEmpty { elements.append(element) }
            guard take(UInt8(ascii: ","), &rest) else { break }
        }
        return rest.isEmpty ? elements : nil
    }

    /// Returns the address of a node such as `192.0.2.7:4711` or `[2001:db8::7]`.
    static func address(of node: String) -> String {
        if node.hasPrefix("[") { return String(node.dropFirst().prefix { $0 != "]" }) }
        return String(node.prefix { $0 != ":" })
    }

    /// Returns whether a text is a host name or an address with an optional port.
    static func isHost(_ text: Substring) -> Bool {
        let isLiteral = text.utf8.first == UInt8(ascii: "[")
        let end = isLiteral ? text.utf8.firstIndex(of: UInt8(ascii: "]")).map(text.utf8.index(after:)) : nil
        guard !isLiteral || end != nil else { return false }
        let colon = end ?? text.utf8.firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
        let (host, port) = (text.utf8[..<colon], text.utf8[colon...])
        let isName = host.allSatisfy { byte in
            byte.isAlphanumericASCII || "-._".utf8.contains(byte) || (isLiteral && "[]:".utf8.contains(byte))
        }
        let digits = port.dropFirst()
        return isName && host.count > (isLiteral ? 2 : 0)
            && (port.isEmpty
                || (port.first == UInt8(ascii: ":") && UInt16(String(decoding: digits, as: UTF8.self)) != nil))
    }

    /// Reads a token or a quoted string.
    private static func value(_ rest: inout ArraySlice<UInt8>) -> String? {
        guard take(UInt8(ascii: "\""), &rest) else {
            let token = rest.prefix { $0.isTokenCharacter }
            rest = rest.dropFirst(token.count)
            return token.isEmpty ? nil : String(decoding: token, as: UTF8.self)
        }
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return String(decoding: bytes, as: UTF8.self) }
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard let escaped = rest.popFirst() else { return nil }
            bytes.append(escaped)
        }
        return nil
    }

    private static func take(_ byte: UInt8, _ rest: inout ArraySlice<UInt8>) -> Bool {
        guard rest.first == byte else { return false }
        rest = rest.dropFirst()
        return true
    }

    private static func skipSpace(_ rest: inout ArraySlice<UInt8>) {
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 }
    }
}

/// A range of IPv4 or IPv6 addresses, such as `10.0.0.0/8`, `2001:db8::/32` or the single address `127.0.0.1`.
///
/// Source: RFC 4632, section 3.1; RFC 4291, section 2.3.
package struct AddressRange: Sendable, Hashable {
    /// The bytes of the address in network order, 4 or 16 of them.
    private let bytes: [UInt8]
    /// The number of leading bits that an address must share with the range.
    private let prefixLength: Int

    /// Parses an address, optionally with a slash and the length of the prefix in bits.
    package init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= 2, let bytes = Self.bytes(of: String(decoding: parts[0], as: UTF8.self)) else {
            return nil
        }
        var prefixLength = bytes.count * 8
        if parts.count == 2 {
            let digits = String(decoding: parts[1], as: UTF8.self)
            guard let number = Int(digits), "\(number)" == digits, (0...prefixLength).contains(number) else {
                return nil
            }
            prefixLength = number
        }
        (self.bytes, self.prefixLength) = (bytes, prefixLength)
    }

    /// Returns whether the range contains an address.
    ///
    /// - Parameter literal: The address without a port and without brackets.
    /// - Returns: Whether the range contains it; false for a text that is no address.
    package func contains(_ literal: String) -> Bool {
        guard let address = Self.bytes(of: literal), address.count == bytes.count else { return false }
        let (whole, rest) = (prefixLength / 8, prefixLength % 8)
        guard address[..<whole] == bytes[..<whole] else { return false }
        return rest == 0 || (address[whole] ^ bytes[whole]) >> UInt8(8 - rest) == 0
    }

    private static func bytes(of literal: String) -> [UInt8]? {
        // The C functions would read only the part before a NUL.
        guard !literal.utf8.contains(0) else { return nil }
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, literal, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
