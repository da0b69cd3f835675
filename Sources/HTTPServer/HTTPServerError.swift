internal import Glibc

/// A failure of ours: the server could not be started, or a file could not be opened.
public struct HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was being done.
    public enum Operation: String, Sendable {
        /// Reading an address that is neither an IPv4 nor an IPv6 literal nor `localhost`.
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
        /// Reading a certificate and its key, which have to be in PEM and belong together.
        case useIdentity = "use the certificate and the key for"
        /// open(2) of a response's file.
        case open = "open"
    }

    /// What was being done.
    public let operation: Operation
    /// What it was done to: an address with its port, or a path.
    public let subject: String
    /// The `errno` it failed with, or 0 where there was none.
    public let errno: Int32

    /// Creates an error.
    public init(operation: Operation, subject: String, errno: Int32) {
        self.operation = operation
        self.subject = subject
        self.errno = errno
    }

    /// For example `cannot bind to 127.0.0.1:8080: Address already in use`.
    public var description: String {
        guard errno != 0 else { return "cannot \(operation.rawValue) \(subject)" }
        return "cannot \(operation.rawValue) \(subject): \(Self.text(of: errno))"
    }

    private static func text(of code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        // Not strerror(3), which is not safe in a process with threads.
        guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
