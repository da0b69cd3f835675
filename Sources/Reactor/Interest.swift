internal import CLinux

/// What a watch waits for, and what it is told (epoll_ctl(2)).
public struct Interest: OptionSet, Sendable {
    /// The kernel's bits.
    public let rawValue: UInt32

    /// The kernel's bits.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// There is something to read, or the end of it.
    public static let readable = Interest(rawValue: EPOLLIN.rawValue)
    /// Something can be written.
    public static let writable = Interest(rawValue: EPOLLOUT.rawValue)
    /// The other side is gone.
    ///
    /// Always told, never asked for.
    public static let hangUp = Interest(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
}
