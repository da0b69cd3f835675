internal import Glibc

/// A file descriptor with one owner, closed when the owner gives it up.
package struct Descriptor: ~Copyable, Sendable {
    /// The number for system calls.
    ///
    /// This value keeps the ownership.
    package let raw: Int32

    /// Takes ownership of an open descriptor.
    package init(owning raw: Int32) {
        precondition(raw >= 0, "not a descriptor")
        self.raw = raw
    }

    /// Returns another descriptor of the same open file (fcntl(2), F_DUPFD_CLOEXEC).
    package borrowing func duplicate() throws(SystemError) -> Descriptor {
        let copy = fcntl(raw, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SystemError("fcntl") }
        return Descriptor(owning: copy)
    }

    /// Returns the number and gives up its ownership without closing it.
    package consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    deinit {
        close(raw)
    }
}

/// Blocking reads and writes of descriptors, which transfer all bytes and continue after signals.
package enum FileIO {
    /// Repeats a system call until it is not interrupted by a signal (signal(7), EINTR).
    ///
    /// - Returns: the result of the last call, with its `errno` in place.
    package static func retrying(_ call: () -> Int) -> Int {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }

    /// Writes all bytes, with as many calls of write(2) as necessary.
    ///
    /// - Throws: the first error, for example ENOSPC. A non-blocking descriptor throws EAGAIN when it is full.
    package static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = retrying { write(descriptor, rest.baseAddress, rest.count) }
            guard count > 0 else { throw SystemError("write") }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Writes all bytes, with as many calls of write(2) as necessary.
    ///
    /// - Throws: the first error, for example ENOSPC.
    package static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(SystemError) {
        let failure: SystemError? = bytes.withUnsafeBytes { buffer in
            do throws(SystemError) { try writeAll(buffer, to: descriptor) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    /// Reads from the current offset to the end of a file.
    ///
    /// - Parameters:
    ///   - descriptor: an open, blocking descriptor.
    ///   - limit: the most bytes to read. A caller that must notice a longer file passes its own limit plus one.
    /// - Returns: the bytes up to the end of the file or the limit.
    /// - Throws: the first error.
    package static func readAll(_ descriptor: Int32, atMost limit: Int) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(max(limit, 1), 64 << 10))
        while bytes.count < limit {
            let wanted = min(buffer.count, limit - bytes.count)
            let count = retrying { buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, wanted) } }
            guard count >= 0 else { throw SystemError("read") }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }
}
