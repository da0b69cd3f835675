internal import System

/// A complete and checked request, which a handler responds to.
package struct Request: Sendable {
    /// The method as sent, such as `GET`, case-sensitive.
    package let method: String
    /// The path as sent, still percent-encoded, without the query: `/runs/a%20b`.
    package var target: String { location.target }
    /// The path with its percent escapes decoded: `/runs/a b`.
    package var path: String { location.path }
    /// The segments of the path, each decoded by itself, so that `%2F` does not split one.
    ///
    /// `/` has no segments. `/runs/` has two, and the second is empty.
    package var pathSegments: [String] { location.segments }
    /// The items of the query, in order.
    package var query: [QueryItem] { location.query }
    /// The header fields.
    package let headers: RequestHeaders
    /// The content, without the chunked transfer coding.
    package internal(set) var body: [UInt8]
    /// `HTTP/1.1` or `HTTP/1.0`.
    package let version: String

    let location: RequestTarget

    /// Creates a request without a connection, for the test of a handler.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - target: The path and, after a `?`, the query, as a client would send them.
    ///   - headers: The header fields.
    ///   - body: The content.
    ///   - version: `HTTP/1.1` or `HTTP/1.0`.
    /// - Throws: `RequestRefusal` if a server would refuse the target.
    package init(
        method: String,
        target: String,
        headers: [HeaderField] = [],
        body: [UInt8] = [],
        version: String = "HTTP/1.1"
    ) throws(RequestRefusal) {
        self.init(
            method: method,
            location: try RequestTarget(Array(target.utf8)),
            headers: RequestHeaders(headers),
            body: body,
            version: version
        )
    }

    init(method: String, location: RequestTarget, headers: RequestHeaders, body: [UInt8], version: String) {
        self.method = method
        self.location = location
        self.headers = headers
        self.body = body
        self.version = version
    }

    /// Returns the value of the first query item that has this name and a value.
    package func queryValue(_ name: String) -> String? {
        for item in query where item.name == name && item.value != nil { return item.value }
        return nil
    }
}

/// A decoded name and value of a query, in which `%41` and `+` stand for `A` and a space.
package struct QueryItem: Equatable, Sendable {
    /// The text before the first `=`.
    package let name: String
    /// The text after the first `=`, or nil if there is no `=`.
    package let value: String?

    /// Creates an item.
    package init(name: String, value: String?) {
        self.name = name
        self.value = value
    }
}

/// The header fields of a request in the order received.
///
/// Names are looked up without regard to case.
///
/// One array holds the text of all fields, and only requested fields become strings: most requests carry a dozen
/// fields, of which a handler reads two.
package struct RequestHeaders: Sendable, Sequence {
    /// The positions of a field in the text.
    private struct Position: Sendable {
        let name: Range<Int>
        let value: Range<Int>
    }

    private var text: [UInt8]
    private var positions: [Position]

    /// Creates a list of fields.
    package init(_ fields: [HeaderField] = []) {
        text = []
        positions = []
        for field in fields {
            var (name, value) = (field.name, field.value)
            name.withUTF8 { name in value.withUTF8 { value in append(name: name, value: value) } }
        }
    }

    /// The number of fields.
    ///
    /// A repeated field counts each time.
    package var count: Int { positions.count }

    /// Returns the value of the first field with this name.
    package subscript(_ name: String) -> String? {
        guard let position = positions.first(where: { matches($0, name) }) else { return nil }
        return string(position.value)
    }

    /// Returns the values of all fields with this name, in order.
    package func values(of name: String) -> [String] {
        positions.filter { matches($0, name) }.map { string($0.value) }
    }

    /// Returns an iterator over the fields in the order received.
    package func makeIterator() -> AnyIterator<HeaderField> {
        var rest = positions.makeIterator()
        return AnyIterator { rest.next().map { HeaderField(string($0.name), string($0.value)) } }
    }

    mutating func reserveCapacity(bytes: Int, fields: Int) {
        text.reserveCapacity(bytes)
        positions.reserveCapacity(fields)
    }

    /// Adds a field without the white space around its value (RFC 9110, 5.5).
    ///
    /// MHD removes only leading white space.
    mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        var end = value.count
        while end > 0, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
        let start = text.count
        text.append(contentsOf: name)
        let middle = text.count
        text.append(contentsOf: value[..<end])
        positions.append(Position(name: start..<middle, value: middle..<text.count))
    }

    private func string(_ range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }

    private func matches(_ position: Position, _ name: String) -> Bool {
        let wanted = name.utf8
        guard wanted.count == position.name.count else { return false }
        return zip(text[position.name], wanted).allSatisfy { $0.lowercasedASCII == $1.lowercasedASCII }
    }
}

/// The name and the value of a header field.
package struct HeaderField: Equatable, Hashable, Sendable {
    /// The name, in the spelling in which it is sent.
    package var name: String
    /// The value, without white space around it.
    package var value: String

    /// Creates a field.
    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
