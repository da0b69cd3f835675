/// A request, complete and checked: what a handler answers.
public struct Request: Sendable {
    /// The method as sent, such as `GET`, case-sensitive.
    public let method: String
    /// The path as sent, still percent-encoded, without the query: `/runs/a%20b`.
    public var target: String { location.target }
    /// The path with its percent escapes decoded: `/runs/a b`.
    public var path: String { location.path }
    /// The path's parts between slashes, each decoded by itself, so that `%2F` does not split one.
    ///
    /// `/` has none; `/runs/` has two, the last of them empty.
    public var pathSegments: [String] { location.segments }
    /// The query's items in order.
    public var query: [QueryItem] { location.query }
    /// The header fields.
    public let headers: RequestHeaders
    /// The content, with chunked transfer coding taken off.
    public internal(set) var body: [UInt8]
    /// `HTTP/1.1` or `HTTP/1.0`.
    public let version: String

    let location: RequestTarget

    /// Creates a request without a connection, as a test of a handler needs it.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - target: The path and, after a `?`, the query, as they would be sent.
    ///   - headers: The header fields.
    ///   - body: The content.
    ///   - version: `HTTP/1.1` or `HTTP/1.0`.
    /// - Throws: `RequestRefusal` if a server would refuse such a target.
    public init(
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

    /// The value of the first query item of this name that has one.
    public func queryValue(_ name: String) -> String? {
        for item in query where item.name == name && item.value != nil { return item.value }
        return nil
    }
}
