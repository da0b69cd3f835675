/// What became of a command that this service ended.
public enum Ending: Sendable, Hashable {
    /// A signal ended it: SIGKILL, or SIGTERM in its grace period.
    case signal(Signal)
    /// It got SIGTERM and chose this exit code in its grace period.
    case exitCode(Int32)

    /// The exit code, if it chose one.
    public var exitCode: Int32? {
        if case .exitCode(let code) = self { code } else { nil }
    }

    /// The signal, if one ended it.
    public var signal: Signal? {
        if case .signal(let signal) = self { signal } else { nil }
    }
}
