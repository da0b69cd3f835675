internal import Glibc

/// A file with what a run wrote, open for reading; closed when it is let go.
public final class OutputFile {
    private let descriptor: Int32

    /// Opens it; `nil` if it is not there, or is a symbolic link.
    public init?(path: String) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Reads bytes from an offset on (pread(2)): how many, 0 at the end, or less than that if they cannot be read.
    public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        Self.read(descriptor, at: offset, into: buffer)
    }

    static func read(_ descriptor: Int32, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            guard count < 0, errno == EINTR else { return count }
        }
    }
}
