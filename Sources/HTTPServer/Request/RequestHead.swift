internal import System

/// The request line and the header fields of a request.
///
/// MHD owns the texts, which are valid only during its callback.
struct RequestHead {
    let method: UnsafeBufferPointer<UInt8>
    let target: UnsafeBufferPointer<UInt8>
    let version: UnsafeBufferPointer<UInt8>
    /// The number of bytes from the first byte of the request line to the end of the empty line.
    let byteCount: Int

    /// Checks everything that MHD 0.9.75 wrongly accepts.
    ///
    /// - Parameters:
    ///   - location: The target, which must have been read before MHD cut it into pieces.
    ///   - collected: All header fields.
    ///   - maximumBytes: The limit for the size of request line and header fields together.
    ///   - maximumFields: The limit for the number of header fields.
    /// - Returns: The request, without its body.
    /// - Throws: The reason why the request is refused.
    func request(
        _ location: RequestTarget,
        _ collected: HeaderCollector,
        maximumBytes: Int,
        maximumFields: Int
    ) throws(RequestRefusal) -> Request {
        guard byteCount <= maximumBytes else { throw .headTooLarge(limit: maximumBytes) }
        guard method.allSatisfy(\.isTokenCharacter) else { throw .malformed("The method is not a token.") }
        let isHTTP11 = version.equals("HTTP/1.1")
        guard isHTTP11 || version.equals("HTTP/1.0") else {
            throw .malformed("The HTTP version is neither HTTP/1.1 nor HTTP/1.0.")
        }
        try collected.check(isHTTP11: isHTTP11, maximumFields: maximumFields)
        if let layout = collected.layout, layout.next + 2 != Self.address(method) + byteCount {
            throw .malformed("The request head contains a NUL, a bare line feed or a folded line.")
        }
        let method = String(decoding: method, as: UTF8.self)
        guard location.bytes != [UInt8(ascii: "*")] || method == "OPTIONS" else {
            throw .malformed("The request target does not start with a slash.")
        }
        if let authority = location.authority, collected.headers["Host"]?.lowercased() != authority.lowercased() {
            throw .malformed("The request target and the Host header field name different hosts.")
        }
        return Request(
            method: method,
            location: location,
            headers: collected.headers,
            body: [],
            version: isHTTP11 ? "HTTP/1.1" : "HTTP/1.0"
        )
    }

    /// The required address of the first header field, or nil if the request line is malformed.
    ///
    /// A request line has exactly three words, with one space between them and CR LF at the end.
    var firstHeader: UInt? {
        guard Self.address(target) == Self.address(method) + method.count + 1,
            Self.address(version) == Self.address(target) + target.count + 1
        else { return nil }
        return Self.address(version) + version.count + 2
    }

    private static func address(_ text: UnsafeBufferPointer<UInt8>) -> UInt { UInt(bitPattern: text.baseAddress) }
}

private func + (address: UInt, count: Int) -> UInt { address &+ UInt(bitPattern: count) }

/// Collects the header fields of a request in one pass, with the facts that decide where the request ends.
struct HeaderCollector {
    private(set) var headers = RequestHeaders()
    /// The layout of the lines, or nil if the library does not keep lines in place or the request line is malformed.
    private(set) var layout: HeaderLayout?
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private let checksLayout: Bool
    private var hasOtherExpectation = false
    private var hostCount = 0
    private var hostIsValid = true
    private var contentLengthCount = 0
    private var transferEncodingCount = 0
    private var fault: String?

    /// Creates a collector without header fields.
    ///
    /// - Parameters:
    ///   - head: The request line, which precedes the header fields.
    ///   - checksLayout: Whether the library keeps lines where it received them.
    init(_ head: RequestHead, checksLayout: Bool) {
        self.checksLayout = checksLayout
        layout = checksLayout ? head.firstHeader.map { HeaderLayout(first: $0) } : nil
        headers.reserveCapacity(bytes: head.byteCount, fields: 4)
    }

    mutating func add(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        layout?.add(name: name, value: value)
        if name.isEmpty || !name.allSatisfy(\.isTokenCharacter) { fault = "A header field name is not a token." }
        if !value.allSatisfy(\.isFieldCharacter) { fault = "A header field value contains a control character." }
        switch name.count {
        case 4 where name.equalsIgnoringCase("Host"):
            hostCount += 1
            hostIsValid = HostField.isValid(value)
        case 6 where name.equalsIgnoringCase("Expect"):
            if !value.equalsIgnoringCase("100-continue") { hasOtherExpectation = true }
        case 14 where name.equalsIgnoringCase("Content-Length"):
            contentLengthCount += 1
            contentLength = Self.number(value)
        case 17 where name.equalsIgnoringCase("Transfer-Encoding"):
            transferEncodingCount += 1
            isChunked = value.equalsIgnoringCase("chunked")
        default: break
        }
        headers.append(name: name, value: value)
    }

    /// Refuses a head that another server could read as a different request (RFC 9112, 6.1, 6.3, 3.2, 5.1).
    func check(isHTTP11: Bool, maximumFields: Int) throws(RequestRefusal) {
        guard headers.count <= maximumFields else {
            throw RequestRefusal(431, "The request has more than \(maximumFields, counting: "header field").")
        }
        if let fault { throw .malformed(fault) }
        if checksLayout, layout?.isOrderly != true {
            throw .malformed("The request head contains a NUL, a bare line feed, a folded line or extra spaces.")
        }
        guard hostCount < 2 else { throw .malformed("The request has more than one Host header field.") }
        guard hostCount == 1 || !isHTTP11 else { throw .malformed("The request has no Host header field.") }
        guard hostIsValid else {
            throw .malformed("The Host header field is not a name or an address with an optional port.")
        }
        guard contentLengthCount < 2 else {
            throw .malformed("The request has more than one Content-Length header field.")
        }
        guard contentLengthCount == 0 || contentLength != nil else {
            throw .malformed("The Content-Length is not a decimal number.")
        }
        try checkTransferEncoding(isHTTP11: isHTTP11)
        // This check comes last, because the client may have meant well (RFC 9110, 10.1.1).
        guard !hasOtherExpectation else {
            throw RequestRefusal(417, "The request expects something other than 100-continue, which is not supported.")
        }
    }

    private func checkTransferEncoding(isHTTP11: Bool) throws(RequestRefusal) {
        guard transferEncodingCount > 0 else { return }
        guard contentLengthCount == 0 else {
            throw .malformed("The request has both Content-Length and Transfer-Encoding.")
        }
        guard isHTTP11 else { throw .malformed("HTTP/1.0 does not support Transfer-Encoding.") }
        guard transferEncodingCount == 1, isChunked else {
            throw .malformed("The Transfer-Encoding is not chunked, the only supported one.")
        }
    }

    /// Reads a decimal number.
    ///
    /// A number that exceeds `Int` becomes the largest `Int`, which exceeds every limit.
    private static func number(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
        guard !text.isEmpty else { return nil }
        var number = 0
        for byte in text {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (product, productOverflows) = number.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflows) = product.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            number = productOverflows || sumOverflows ? Int.max : sum
        }
        return number
    }
}

/// The check that header lines follow one another with CR LF between them and nothing else.
///
/// MHD 0.9.75 keeps lines where it received them and passes pointers into them. The addresses show differences that the
/// texts hide. A line may end with a bare line feed. MHD stops reading a line at a NUL, and adds the second line of a
/// folded line to the *name* of the first. Each of those can make two servers read two different requests. The check
/// compares addresses only and reads no text.
struct HeaderLayout {
    /// The address of the next line, provided that all lines before are in order.
    private(set) var next: UInt
    private(set) var isOrderly = true

    init(first: UInt) {
        next = first
    }

    mutating func add(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        let (nameStart, valueStart) = (UInt(bitPattern: name.baseAddress), UInt(bitPattern: value.baseAddress))
        // White space between the colon and the value is allowed.
        if nameStart != next || valueStart <= nameStart &+ UInt(name.count) { isOrderly = false }
        next = valueStart &+ UInt(value.count) &+ 2
    }
}

/// The syntax of a `Host` header field: a host and a port, as in a URI, or nothing (RFC 9110, 7.2; RFC 3986, 3.2.2).
private enum HostField {
    static func isValid(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        var rest = value[...]
        while rest.last == 0x20 || rest.last == 0x09 { rest = rest.dropLast() }
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")), end > rest.startIndex + 2,
                rest[(rest.startIndex + 1)..<end].allSatisfy({
                    $0.hexadecimalValue != nil || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
                })
            else { return false }
            rest = rest[(end + 1)...]
        } else {
            rest = rest.drop { isNameCharacter($0) }
        }
        guard let colon = rest.first else { return true }
        return colon == UInt8(ascii: ":") && rest.count <= 6 && rest.dropFirst().allSatisfy { $0 &- 0x30 < 10 }
    }

    /// Returns whether a byte is in `unreserved` or `sub-delims` of RFC 3986, or is a percent sign.
    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="): true
        case UInt8(ascii: "#"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "|"): false
        default: byte.isTokenCharacter
        }
    }
}

/// The character classes of HTTP.
extension UInt8 {
    /// True if a method or a header field name may contain this byte: `tchar` of RFC 9110, 5.6.2.
    package var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// True if a header field value may contain this byte: a tab, or anything but a control character.
    var isFieldCharacter: Bool { self >= 0x20 ? self != 0x7F : self == 0x09 }

    /// True if a request target may contain this byte: printable ASCII except the space and `#`.
    var isTargetCharacter: Bool { self > 0x20 && self < 0x7F && self != UInt8(ascii: "#") }
}

extension UnsafeBufferPointer<UInt8> {
    /// Returns whether the bytes are those of a literal.
    func equals(_ literal: StaticString) -> Bool {
        literal.withUTF8Buffer { literal in count == literal.count && elementsEqual(literal) }
    }
}

extension Collection<UInt8> {
    /// Returns whether the bytes are those of a literal, without regard to case.
    func equalsIgnoringCase(_ literal: StaticString) -> Bool {
        literal.withUTF8Buffer { literal in
            count == literal.count && zip(self, literal).allSatisfy { $0.lowercasedASCII == $1.lowercasedASCII }
        }
    }
}
