internal import Glibc

/// A file opened for reading, for an answer's body.
///
/// It owns its descriptor and closes it. A file that is unlinked or replaced after it was opened is still sent as it was.
public final class OpenFile: Sendable {
    /// The descriptor, close-on-exec, valid as long as this object.
    public let descriptor: Int32

    /// Opens a file.
    ///
    /// - Parameter path: The file's path. A symbolic link as its last part is refused (`ELOOP`).
    /// - Throws: `HTTPServerError` with the path and errno.
    public init(path: String) throws(HTTPServerError) {
        let opened = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard opened >= 0 else { throw HTTPServerError(operation: .open, subject: path, errno: errno) }
        descriptor = opened
    }

    /// Takes over a descriptor that is open for reading; nobody else may close it.
    public init(owning descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }
}
