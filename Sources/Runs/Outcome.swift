/// How a run ended.
///
/// Exactly one of these, decided once.
///
/// A command that fails is an outcome, not an error. The kernel's record is the only judge: `exited` and `signaled` mean
/// that the command ended by itself, whatever a timer says; the outcomes with an ``Ending`` mean that this service's own
/// signal ended it.
public enum Outcome: Sendable, Hashable {
    /// The command ended by itself, with this exit code (0 to 255).
    case exited(code: Int32)
    /// A signal ended it that this service did not send.
    case signaled(Signal)
    /// It was still running at its deadline and this service ended it.
    case timedOut(Ending)
    /// It had used up its processor time, and this service or the kernel ended it.
    case cpuLimit(Signal)
    /// The kernel's OOM killer took a process from it because of its own memory limit, and that ended all of it.
    case memoryLimit
    /// It wrote more than `outputBytes`, had asked to be ended then, and this service ended it.
    case outputLimit(Ending)
    /// A client cancelled it, or the service was stopped. No ending: it was still queued.
    case cancelled(Ending?)
    /// The service or its host ended while it ran.
    case lost
    /// The command never started.
    case startFailed(Failure)
    /// This service failed; the command is not to blame.
    case internalError(Failure)

    /// Whether the command ended by itself with an exit code.
    public var isExit: Bool { if case .exited = self { true } else { false } }

    /// The contract's name for it.
    public var name: String {
        switch self {
        case .exited: "exited"
        case .signaled: "signaled"
        case .timedOut: "timed_out"
        case .cpuLimit: "cpu_limit"
        case .memoryLimit: "memory_limit"
        case .outputLimit: "output_limit"
        case .cancelled: "cancelled"
        case .lost: "lost"
        case .startFailed: "start_failed"
        case .internalError: "internal_error"
        }
    }

    /// The contract's names for all of them.
    public static let names = [
        "exited", "signaled", "timed_out", "cpu_limit", "memory_limit", "output_limit", "cancelled", "lost",
        "start_failed",
        "internal_error",
    ]

    /// The exit code that the command itself chose, if it chose one.
    public var exitCode: Int32? {
        switch self {
        case .exited(let code): code
        case .timedOut(let ending), .outputLimit(let ending), .cancelled(let ending?): ending.exitCode
        case .signaled, .cpuLimit, .memoryLimit, .cancelled, .lost, .startFailed, .internalError: nil
        }
    }

    /// The signal that ended it, whoever sent it.
    public var signal: Signal? {
        switch self {
        case .signaled(let signal), .cpuLimit(let signal): signal
        case .memoryLimit: .kill
        case .timedOut(let ending), .outputLimit(let ending), .cancelled(let ending?): ending.signal
        case .exited, .cancelled, .lost, .startFailed, .internalError: nil
        }
    }

    /// What went wrong when it never started or this service failed.
    public var failure: Failure? {
        switch self {
        case .startFailed(let failure), .internalError(let failure): failure
        case .exited, .signaled, .timedOut, .cpuLimit, .memoryLimit, .outputLimit, .cancelled, .lost: nil
        }
    }
}
