internal import Glibc

/// The children of this process.
public enum ChildProcesses {
    /// Whether there is one, running or dead and not yet waited for.
    public static var exist: Bool {
        var information = siginfo_t()
        return waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) == 0
    }

    /// Waits until a child is dead, and leaves it to be waited for.
    public static func awaitDeath(of pid: Int32) {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    }
}
