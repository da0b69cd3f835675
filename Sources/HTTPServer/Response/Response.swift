internal import Glibc

/// A response, which `Exchange.respond(_:)` sends.
///
/// The server adds `Date`, `Content-Length` and, where it applies, `Connection`. It drops `Content-Length` and
/// `Transfer-Encoding` from the header fields. A response to HEAD takes the same body as a response to GET: the server
/// sends its length and not its bytes. The same applies to 304 (RFC 9110, 8.6).
package struct Response: Sendable {
    /// The status code, 200 to 599.
    package var status: Int
    /// The header fields, in the order in which they are sent.
    package var headers: [HeaderField]
    /// The content.
    package var body: ResponseBody

    /// Creates a response.
    package init(status: Int, headers: [HeaderField] = [], body: ResponseBody = .bytes([])) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The content of a response.
package enum ResponseBody: Sendable {
    /// Bytes, which are copied once.
    case bytes([UInt8])
    /// A part of a file, which the kernel sends with sendfile(2). The file must not shrink meanwhile.
    case file(OpenFile, offset: Int, count: Int)

    /// The number of bytes to send.
    package var count: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .file(_, _, let count): count
        }
    }
}

/// A file that is open for reading, for the body of a response.
///
/// The object owns its descriptor and closes it. A file that is unlinked or replaced after it was opened is still sent
/// with its old content.
package final class OpenFile: Sendable {
    /// The descriptor, close-on-exec, valid during the lifetime of this object.
    package let descriptor: Int32

    /// Opens a file.
    ///
    /// - Parameter path: The path of the file. A symbolic link as its last component is refused (`ELOOP`).
    /// - Throws: `HTTPServerError` with the path and errno.
    package init(path: String) throws(HTTPServerError) {
        let opened = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard opened >= 0 else { throw HTTPServerError(operation: .open, subject: path, errno: errno) }
        descriptor = opened
    }

    /// Takes ownership of a descriptor that is open for reading.
    package init(owning descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}

/// A response that is made once and sent any number of times without a copy.
package final class PreparedResponse {
    let status: Int
    /// The C library's response.
    ///
    /// It counts references, and each connection that sends it has its own reference.
    let handle: OpaquePointer
    /// The size of the body in bytes.
    package let bodyBytes: Int

    /// Prepares a response, or returns nil if it is invalid, such as with a line break in a header field.
    package init?(_ response: Response) {
        guard let handle = MicroHTTPD.create(response) else { return nil }
        self.handle = handle
        (status, bodyBytes) = (response.status, response.body.count)
    }

    /// Prepares a response that is sent once, with a body of unknown length.
    ///
    /// Returns nil if the response is invalid.
    init?(_ head: Response, streaming stream: ResponseStream, isToHead: Bool) {
        guard let handle = MicroHTTPD.create(head, streaming: stream, isToHead: isToHead) else { return nil }
        self.handle = handle
        (status, bodyBytes) = (head.status, 0)
    }

    deinit {
        MicroHTTPD.release(handle)
    }
}

/// The status and the size of a response, which are reported when its request is complete.
struct ResponseSummary {
    let status: Int
    let bodyBytes: Int

    init(status: Int, bodyBytes: Int) {
        (self.status, self.bodyBytes) = (status, bodyBytes)
    }

    init(_ response: PreparedResponse) {
        self.init(status: response.status, bodyBytes: response.bodyBytes)
    }
}
