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
