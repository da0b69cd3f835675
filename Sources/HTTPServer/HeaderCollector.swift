/// Goes through a request's headers once: keeps them, and notes what decides whether it is one request only.
struct HeaderCollector {
    private(set) var headers = RequestHeaders()
    /// Nil if the library does not keep lines in place, or if the request line was not in order.
    private(set) var places: HeaderPlaces?
    /// Whether the places matter.
    private let checksPlaces: Bool
    private(set) var contentLength: Int?
    private var expectsMore = false
    private var hosts = 0
    private var hostIsValid = true
    private var contentLengths = 0
    private var transferCodings = 0
    private(set) var isChunked = false
    private var fault: String?

    /// Begins with none.
    ///
    /// - Parameters:
    ///   - head: The request line, after which the headers come.
    ///   - checksPlaces: Whether the library keeps lines where it received them.
    init(_ head: RequestHead, checksPlaces: Bool) {
        self.checksPlaces = checksPlaces
        places = checksPlaces ? head.firstHeader.map { HeaderPlaces(first: $0) } : nil
        headers.reserveCapacity(bytes: head.byteCount, fields: 4)
    }

    mutating func add(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        places?.add(name: name, value: value)
        if name.isEmpty || !name.allSatisfy(\.isTokenCharacter) { fault = "A header's name is not a token." }
        if !value.allSatisfy(\.isFieldCharacter) { fault = "A header has a control character." }
        switch name.count {
        case 4 where name.equalsIgnoringCase("Host"):
            hosts += 1
            hostIsValid = HostField.isValid(value)
        case 6 where name.equalsIgnoringCase("Expect"):
            if !value.equalsIgnoringCase("100-continue") { expectsMore = true }
        case 14 where name.equalsIgnoringCase("Content-Length"):
            contentLengths += 1
            contentLength = Self.number(value)
        case 17 where name.equalsIgnoringCase("Transfer-Encoding"):
            transferCodings += 1
            isChunked = value.equalsIgnoringCase("chunked")
        default: break
        }
        headers.append(name: name, value: value)
    }

    /// Refuses what could be read as another request by somebody else (RFC 9112, 6.1, 6.3, 3.2, 5.1).
    func check(isHTTP11: Bool, mostFields: Int) throws(RequestRefusal) {
        guard headers.count <= mostFields else {
            throw RequestRefusal(431, "There are more than \(mostFields) header fields.")
        }
        if let fault { throw .malformed(fault) }
        if checksPlaces, places?.isOrderly != true {
            throw .malformed("The request's head has a NUL, a bare line feed, a folded line or too many spaces.")
        }
        guard hosts < 2 else { throw .malformed("There is more than one Host header.") }
        guard hosts == 1 || !isHTTP11 else { throw .malformed("There is no Host header.") }
        guard hostIsValid else { throw .malformed("The Host is not a name or an address with a port.") }
        guard contentLengths < 2 else { throw .malformed("There is more than one Content-Length header.") }
        guard contentLengths == 0 || contentLength != nil else {
            throw .malformed("The Content-Length is not a number.")
        }
        try checkTransferCoding(isHTTP11: isHTTP11)
        // Last: it is the one thing that may be meant well (RFC 9110, 10.1.1).
        guard !expectsMore else { throw RequestRefusal(417, "Nothing but 100-continue can be expected.") }
    }

    private func checkTransferCoding(isHTTP11: Bool) throws(RequestRefusal) {
        guard transferCodings > 0 else { return }
        guard contentLengths == 0 else { throw .malformed("There are both Content-Length and Transfer-Encoding.") }
        guard isHTTP11 else { throw .malformed("HTTP/1.0 has no Transfer-Encoding.") }
        guard transferCodings == 1, isChunked else { throw .malformed("The Transfer-Encoding is not chunked.") }
    }

    /// Reads digits; what is more than an `Int` can be is the largest of them, which is over every limit.
    private static func number(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
        guard !text.isEmpty else { return nil }
        var number = 0
        for byte in text {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (tens, isOver) = number.multipliedReportingOverflow(by: 10)
            let (sum, isPast) = tens.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            number = isOver || isPast ? Int.max : sum
        }
        return number
    }
}
