internal import CLinux
internal import Glibc
internal import Reactor
public import Runs
public import Sandbox

/// How a run ended, from the kernel's record of it.
///
/// Here is the only place where that is decided.
public enum Verdict {
    /// The outcome of a command whose end was recorded.
    ///
    /// The record says what the slot had sent before it read the record, and the slot asks the kernel for a record before
    /// it sends anything. So:
    ///
    /// - The OOM killer took a process of the run, for the run's own limit, before its end and before anything was sent:
    ///   that is the end of all of it, whatever the command then made of it. Version 2 groups leave it no time to
    ///   (memory.oom.group), so it is the same where they are of version 1.
    /// - Nothing sent: the command ended by itself, unless the record says that it had used up its processor time and the
    ///   kernel sent a signal for that.
    /// - SIGKILL sent, and SIGKILL ended it: the kill took effect. (Nobody can tell this from a command that killed
    ///   itself in the same instant.)
    /// - SIGKILL sent, and something else ended it: its own end came first.
    /// - SIGTERM sent: whatever ended it then happened in its grace period, after its time.
    ///
    /// - Parameters:
    ///   - end: the kernel's record.
    ///   - reason: why this service wanted it to end, if it did.
    /// - Returns: how the run ended.
    public static func outcome(of end: CommandEnd, reason: StopReason?) -> Outcome {
        let code = sandglass_exit_code(end.waitStatus)
        let ending: Ending = code >= 0 ? .exitCode(code) : .signal(signal(of: end.waitStatus))
        if end.ranOutOfMemory { return .memoryLimit }
        if end.usedUpProcessorTime, !end.wasTerminated, let signal = ending.signal,
            signal.number == SIGKILL || signal.number == SIGXCPU
        {
            return .cpuLimit(signal)
        }
        if let reason {
            let killTookEffect = end.wasKilled && ending.signal?.number == SIGKILL
            if end.wasTerminated || killTookEffect { return outcome(for: reason, ending) }
        }
        switch ending {
        case .exitCode(let code): return .exited(code: code)
        case .signal(let signal): return .signaled(signal)
        }
    }

    /// The outcome of a command whose slot is gone without a record.
    ///
    /// - Parameters:
    ///   - reason: why this service wanted it to end: it killed the slot then.
    ///   - started: whether the command had been started.
    /// - Returns: what the reason makes of it; without one, an internal error.
    public static func outcomeWithoutRecord(reason: StopReason?, started: Bool = true) -> Outcome {
        // What never ran was ended by nothing.
        if !started, reason == .cancelled { return .cancelled(nil) }
        guard let reason else {
            return .internalError(
                Failure(
                    step: SetupStep.slot.rawValue,
                    errno: "ECHILD",
                    detail: "the sandbox ended without a record of the command's end"
                )
            )
        }
        return outcome(for: reason, .signal(.kill))
    }

    /// The outcome of a command that the OOM killer took together with its slot.
    ///
    /// - Parameters:
    ///   - reason: why this service wanted it to end, if it did.
    ///   - isInGrace: it had SIGTERM and was given time: whatever happened then, happened after its time.
    /// - Returns: how the run ended.
    public static func outcomeOutOfMemory(reason: StopReason?, isInGrace: Bool) -> Outcome {
        guard let reason, isInGrace else { return .memoryLimit }
        return outcome(for: reason, .signal(.kill))
    }

    /// The outcome of a command that never started.
    public static func outcome(of failure: SetupFailure) -> Outcome {
        let report = Failure(
            step: failure.step.rawValue,
            errno: SystemError.name(of: failure.number),
            detail: failure.step.isTheCommands
                ? "\(SystemError.meaning(of: failure.number)): \(hint(failure))" : failure.description
        )
        return failure.step.isTheCommands ? .startFailed(report) : .internalError(report)
    }

    private static func outcome(for reason: StopReason, _ ending: Ending) -> Outcome {
        switch reason {
        case .timedOut: .timedOut(ending)
        case .outputLimit: .outputLimit(ending)
        case .cancelled: .cancelled(ending)
        }
    }

    private static func signal(of waitStatus: Int32) -> Signal {
        let number = sandglass_end_signal(waitStatus)
        let name = sandglass_signal_abbreviation(number).map { "SIG" + String(cString: $0) }
        return Signal(
            number: number,
            name: name ?? "SIG\(number)",
            coreDumped: sandglass_core_dumped(waitStatus) == 1
        )
    }

    private static func hint(_ failure: SetupFailure) -> String {
        if failure.step == .files {
            return failure.number == ENOSPC
                ? "the files of the run do not fit its diskBytes" : "a file of the run cannot be made in /box"
        }
        guard failure.step == .exec else { return "the working directory cannot be entered inside the sandbox" }
        return switch failure.number {
        case ENOENT: "the command, or the interpreter that it names, does not exist inside the sandbox"
        case EACCES: "the command is a folder or may not be executed"
        case ENOEXEC: "the command is neither a program of this machine nor a script that begins with #!"
        case E2BIG: "arguments and environment together are too large"
        default: "the command could not be executed"
        }
    }
}
