internal import Glibc

/// A file descriptor with one owner.
///
/// It is closed when the owner lets go of it.
public struct Descriptor: ~Copyable, Sendable {
    /// The number, for system calls; it stays this value's own.
    public let raw: Int32

    /// Takes a descriptor that nobody else will close.
    public init(owning raw: Int32) {
        precondition(raw >= 0, "not a descriptor")
        self.raw = raw
    }

    /// Gives the descriptor away, unclosed.
    public consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    deinit {
        close(raw)
    }
}
