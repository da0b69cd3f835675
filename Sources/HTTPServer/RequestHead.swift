/// A request's line and headers, as MHD shows them: its texts are valid only while MHD shows them.
struct RequestHead {
    let method: UnsafeBufferPointer<UInt8>
    let target: UnsafeBufferPointer<UInt8>
    let version: UnsafeBufferPointer<UInt8>
    /// From the first byte of the request line to the end of the empty line.
    let byteCount: Int

    /// Checks everything that MHD 0.9.75 lets through, and makes a request of it, its body not yet there.
    ///
    /// - Parameters:
    ///   - location: The target, which had to be read before MHD cut it into pieces.
    ///   - collected: The headers, all of them added.
    ///   - mostBytes: How many bytes line and headers may have together.
    ///   - mostFields: How many header fields there may be.
    /// - Returns: The request, without its body.
    /// - Throws: Why it is refused.
    func request(
        _ location: RequestTarget,
        _ collected: HeaderCollector,
        mostBytes: Int,
        mostFields: Int
    ) throws(RequestRefusal) -> Request {
        guard byteCount <= mostBytes else {
            throw RequestRefusal(431, "The request's line and headers are over \(mostBytes) bytes.")
        }
        guard method.allSatisfy(\.isTokenCharacter) else { throw .malformed("The method is not a token.") }
        let isHTTP11 = version.equals("HTTP/1.1")
        guard isHTTP11 || version.equals("HTTP/1.0") else {
            throw .malformed("The version is neither HTTP/1.1 nor HTTP/1.0.")
        }
        try collected.check(isHTTP11: isHTTP11, mostFields: mostFields)
        if let places = collected.places, places.next + 2 != Self.address(method) + byteCount {
            throw .malformed("The request's head has a NUL, a bare line feed or a folded line.")
        }
        let method = String(decoding: method, as: UTF8.self)
        guard location.bytes != [UInt8(ascii: "*")] || method == "OPTIONS" else {
            throw .malformed("The target is not a path that starts with a slash.")
        }
        if let authority = location.authority, collected.headers["Host"]?.lowercased() != authority.lowercased() {
            throw .malformed("The target names another host than the Host header.")
        }
        return Request(
            method: method,
            location: location,
            headers: collected.headers,
            body: [],
            version: isHTTP11 ? "HTTP/1.1" : "HTTP/1.0"
        )
    }

    /// Where the first header has to be; nil if the request line is not just three words, a space between
    /// each, and CR LF.
    var firstHeader: UInt? {
        guard Self.address(target) == Self.address(method) + method.count + 1,
            Self.address(version) == Self.address(target) + target.count + 1
        else { return nil }
        return Self.address(version) + version.count + 2
    }

    private static func address(_ text: UnsafeBufferPointer<UInt8>) -> UInt { UInt(bitPattern: text.baseAddress) }
}

private func + (address: UInt, count: Int) -> UInt { address &+ UInt(bitPattern: count) }
