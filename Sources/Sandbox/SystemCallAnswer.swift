/// What becomes of a system call.
enum SystemCallAnswer: Sendable, Hashable {
    /// The kernel does it.
    case allow
    /// It fails with this error number (errno(3)).
    case refuse(Int32)
    /// It succeeds and does nothing.
    case pretend
}
