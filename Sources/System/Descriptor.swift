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
