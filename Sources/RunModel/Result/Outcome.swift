/// The outcome of a run.
///
/// A run has exactly one outcome, which is decided once.
///
/// A command that fails is an outcome, not an error. The kernel's record is the only judge: `exited` and `signaled`
/// mean that the command ended by itself, whatever a timer says. The outcomes with a ``Termination`` mean that a
/// signal of this service ended it.
package enum Outcome: Sendable, Hashable {
    /// The command ended by itself with this exit code (0 to 255).
    case exited(code: Int32)
    /// A signal that this service did not send ended the command.
    case signaled(Signal)
    /// The command was still running at its deadline, and this service ended it.
    case timedOut(Termination)
    /// The run used up its processor time, and this service or the kernel ended it.
    case cpuLimit(Signal)
    /// The kernel's OOM killer killed a process because of the run's own memory limit, which ended the whole run.
    case memoryLimit
    /// The command wrote more than `outputBytes`, the run had asked to be ended then, and this service ended it.
    case outputLimit(Termination)
    /// A client cancelled the run, or the service was stopped. Without a termination the run was still queued.
    case cancelled(Termination?)
    /// The command never started.
    case startFailed(Failure)
    /// The service or its host died while the command ran.
    case lost
    /// This service failed; the command is not to blame.
    case internalError(Failure)

    /// A Boolean value indicating whether the command ended by itself with an exit code.
    package var isExit: Bool { kind == .exited }

    /// The contract's name of this outcome, such as `timed_out`.
    package var name: String { kind.rawValue }

    /// The contract's names of all outcomes.
    package static let names = Kind.allCases.map(\.rawValue)

    /// The exit code that the command itself chose; `nil` if it chose none.
    package var exitCode: Int32? {
        switch self {
        case .exited(let code): code
        case .timedOut(let termination), .outputLimit(let termination), .cancelled(let termination?):
            termination.exitCode
        case .signaled, .cpuLimit, .memoryLimit, .cancelled, .lost, .startFailed, .internalError: nil
        }
    }

    /// The signal that ended the command, from any sender; `nil` if none did.
    package var signal: Signal? {
        switch self {
        case .signaled(let signal), .cpuLimit(let signal): signal
        case .memoryLimit: .kill
        case .timedOut(let termination), .outputLimit(let termination), .cancelled(let termination?):
            termination.signal
        case .exited, .cancelled, .lost, .startFailed, .internalError: nil
        }
    }

    /// The failure that kept the command from starting, or that this service had.
    package var failure: Failure? {
        switch self {
        case .startFailed(let failure), .internalError(let failure): failure
        case .exited, .signaled, .timedOut, .cpuLimit, .memoryLimit, .outputLimit, .cancelled, .lost: nil
        }
    }
}

/// The way in which a command ended that this service terminated.
package enum Termination: Sendable, Hashable {
    /// A signal ended the command: SIGKILL, or SIGTERM in its grace period.
    case signal(Signal)
    /// The command received SIGTERM and exited with this code in its grace period.
    case exitCode(Int32)

    /// The exit code; `nil` if a signal ended the command.
    package var exitCode: Int32? {
        if case .exitCode(let code) = self { code } else { nil }
    }

    /// The signal; `nil` if the command exited.
    package var signal: Signal? {
        if case .signal(let signal) = self { signal } else { nil }
    }
}

/// A signal that ended a command.
package struct Signal: Sendable, Hashable {
    /// The number on this machine (signal(7)).
    package let number: Int32
    /// The name, such as `SIGSEGV`.
    package let name: String
    /// A Boolean value indicating whether the kernel wrote a core file.
    package let coreDumped: Bool

    package init(number: Int32, name: String, coreDumped: Bool = false) {
        self.number = number
        self.name = name
        self.coreDumped = coreDumped
    }

    /// SIGKILL.
    package static let kill = Signal(number: 9, name: "SIGKILL")
}

/// The reason for which a command never started, or for which this service failed.
package struct Failure: Error, Sendable, Hashable {
    /// The step that failed, such as `exec`.
    package let step: String
    /// The name of the error number, such as `ENOENT` (errno(3)).
    package let errno: String
    /// An explanation for people, with a remedy where there is one.
    package let detail: String

    package init(step: String, errno: String, detail: String) {
        self.step = step
        self.errno = errno
        self.detail = detail
    }
}

extension Failure: CustomStringConvertible {
    /// One line with detail, step and error number.
    package var description: String { "\(detail) (\(step): \(errno))" }
}
