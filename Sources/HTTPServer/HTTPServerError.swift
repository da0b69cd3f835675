internal import System

/// A failure of this server, not of a client: the server could not start, or a file could not be opened.
package struct HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A step that can fail.
    ///
    /// The raw value completes the phrase "cannot …".
    package enum Operation: String, Sendable {
        /// Parsing an address. It must be an IPv4 literal, an IPv6 literal or `localhost`.
        case parseAddress = "parse the address"
        /// socket(2) and its options.
        case createSocket = "create a socket for"
        /// bind(2).
        case bind = "bind to"
        /// listen(2).
        case listen = "listen on"
        /// getsockname(2).
        case readAddress = "read the bound address of"
        /// epoll_create1(2) or epoll_ctl(2).
        case watch = "watch the connections of"
        /// Starting libmicrohttpd.
        case start = "start the HTTP daemon on"
        /// Reading a certificate and its key. Both must be in PEM and belong together.
        case useIdentity = "use the certificate and the key for"
        /// open(2) of a file for a response.
        case open = "open"
    }

    /// The step that failed.
    package let operation: Operation
    /// The address with its port, or the path, that the step was applied to.
    package let subject: String
    /// The `errno` of the failed call, or 0 if there was none.
    package let errno: Int32

    /// Creates an error.
    package init(operation: Operation, subject: String, errno: Int32) {
        self.operation = operation
        self.subject = subject
        self.errno = errno
    }

    /// A description such as `cannot bind to 127.0.0.1:8080: Address already in use`.
    package var description: String {
        guard errno != 0 else { return "cannot \(operation.rawValue) \(subject)" }
        return "cannot \(operation.rawValue) \(subject): \(SystemError.meaning(of: errno))"
    }
}
