internal import HTTPServer
internal import System

/// Bytes that a client may read as a whole, in part, or only if they changed.
struct RangedContent {
    /// The headers of binary content.
    static let headers = [
        HeaderField("Content-Type", "application/octet-stream"),
        HeaderField("X-Content-Type-Options", "nosniff"),
    ]

    /// The tag of content that never changes; `nil` while the content grows.
    let tag: EntityTag?
    /// The current length in bytes.
    let length: Int
    /// The offsets of a part in the middle that does not exist and that no range may contain; empty if there is none.
    var cut: Range<Int> = 0..<0
    /// The function that opens a part of the content.
    let body: (Range<Int>) throws(Problem) -> ResponseBody

    /// The part of the content that a request selects.
    enum Selection {
        /// The client has the content already.
        case notModified(Response)
        /// The whole content, with these headers.
        case whole([HeaderField])
        /// A part, with these headers.
        case part(Range<Int>, [HeaderField])
    }

    /// Returns the response to a request: 200, 206 or 304.
    ///
    /// - Throws: a 416 problem if the range is not satisfiable, or the problem of `body`.
    func response(to request: Request) throws(Problem) -> Response {
        switch try selection(of: request) {
        case .notModified(let response): response
        case .whole(let headers): Response(status: 200, headers: headers, body: try body(0..<length))
        case .part(let bytes, let headers): Response(status: 206, headers: headers, body: try body(bytes))
        }
    }

    /// Returns the part that a request selects.
    ///
    /// - Throws: a 416 problem if the range is not satisfiable.
    func selection(of request: Request) throws(Problem) -> Selection {
        if let tag, tag.isKnown(to: request) { return .notModified(Response(status: 304, headers: [tag.header])) }
        let acceptsRanges = HeaderField("Accept-Ranges", "bytes")
        var headers = Self.headers + [acceptsRanges]
        if let tag { headers.append(tag.header) }
        // A client cannot have a tag of content that still grows.
        let allowsRange = tag?.allowsRange(of: request) ?? (request.headers["If-Range"] == nil)
        guard let range = ByteRange(request), allowsRange else {
            return .whole(headers)
        }
        guard let bytes = range.bytes(of: length).flatMap({ outsideCut($0, range) }) else {
            let kept = cut.isEmpty ? "" : ", but those from \(cut.lowerBound) to \(cut.upperBound - 1) were cut"
            throw Problem(
                status: 416,
                detail:
                    "The content has \(length, counting: "byte")\(tag == nil ? " so far" : "")\(kept), and none is in the requested "
                    + "range.",
                headers: [HeaderField("Content-Range", "bytes */\(length)"), acceptsRanges]
            )
        }
        let total = tag == nil ? "*" : "\(length)"
        headers.append(HeaderField("Content-Range", "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(total)"))
        return .part(bytes, headers)
    }

    /// Returns the first part of a range that does not contain bytes of the cut; the last part if the range counts from
    /// the end.
    private func outsideCut(_ bytes: Range<Int>, _ range: ByteRange) -> Range<Int>? {
        guard bytes.overlaps(cut) else { return bytes }
        if case .from = range, bytes.lowerBound < cut.lowerBound { return bytes.lowerBound..<cut.lowerBound }
        return bytes.upperBound > cut.upperBound ? cut.upperBound..<bytes.upperBound : nil
    }
}

/// The part of a content that a client requests: `Range` (RFC 9110, section 14.2).
enum ByteRange: Equatable {
    /// The bytes from an offset to `last`, or to the end.
    case from(Int, last: Int?)
    /// A number of bytes at the end.
    case suffix(Int)

    /// Parses the range of a request; `nil` if the client requests the whole content.
    ///
    /// The RFC allows a server to ignore other units, malformed ranges and several ranges, and so does this parser:
    /// the response is the whole content. Only GET requests have a range.
    init?(_ request: Request) {
        let values = request.headers.values(of: "Range")
        guard request.method == "GET", values.count == 1, let value = values.first else { return nil }
        self.init(value)
    }

    /// Parses the value of a `Range` header.
    init?(_ field: String) {
        let text = field.utf8
        guard let equals = text.firstIndex(of: UInt8(ascii: "=")), field[..<equals].lowercased() == "bytes" else {
            return nil
        }
        let range = text[text.index(after: equals)...]
        guard let dash = range.firstIndex(of: UInt8(ascii: "-")) else { return nil }
        let (first, last) = (range[..<dash], range[range.index(after: dash)...])
        if first.isEmpty {
            guard let count = Self.number(last) else { return nil }
            self = .suffix(count)
        } else {
            guard let start = Self.number(first) else { return nil }
            let end = Self.number(last)
            guard last.isEmpty || (end ?? -1) >= start else { return nil }
            self = .from(start, last: end)
        }
    }

    /// Returns the offsets of the range in a content of `count` bytes; `nil` if the range is not satisfiable (416).
    func bytes(of count: Int) -> Range<Int>? {
        switch self {
        case .from(let first, let last):
            guard first < count else { return nil }
            return first..<(min(last ?? .max, count - 1) + 1)
        case .suffix(let wanted):
            guard wanted > 0, count > 0 else { return nil }
            return max(count - wanted, 0)..<count
        }
    }

    /// Parses digits.
    ///
    /// A number too large for an integer exceeds every length, so the largest integer replaces it.
    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(Substring(digits)) ?? .max
    }
}
