internal import CLinux
internal import Glibc
package import RunModel
package import Sandbox
internal import System

/// The rule that derives the outcome of a run from the kernel's record of its end.
///
/// It decides for every run that got a slot. `Scheduler` decides for runs that never got one, and `RunStore` for lost runs.
package enum Verdict {
    /// Returns the outcome of a command whose end was recorded.
    ///
    /// The slot asks the kernel for the wait status before it sends a signal. It notes each signal that it sends, and
    /// reads the status again afterwards. The record therefore decides:
    ///
    /// - The run reached its own memory limit: the OOM killer ended one of its processes before the command ended and
    ///   before the slot sent a signal. The outcome is `memory_limit`, whatever the command did next. Version 2 control
    ///   groups leave it no time (memory.oom.group), and version 1 must not differ.
    /// - The slot sent no signal: the command ended by itself. The exception is a command that had used up its
    ///   processor time and received a signal from the kernel for that.
    /// - The slot sent SIGKILL, and SIGKILL ended the command: the kill took effect. A command that sends itself
    ///   SIGKILL in the same microseconds cannot be told apart.
    /// - The slot sent SIGKILL, and something else ended the command: the command's own end came first.
    /// - The slot sent SIGTERM: the command's end belongs to its grace period, and the reason for the SIGTERM is the
    ///   outcome.
    ///
    /// - Parameters:
    ///   - end: the kernel's record.
    ///   - reason: the reason for which this service tried to end the run, if it did.
    /// - Returns: the only outcome of the run.
    package static func outcome(of end: ExitRecord, reason: StopReason?) -> Outcome {
        let code = sandglass_exit_code(end.waitStatus)
        let termination: Termination = code >= 0 ? .exitCode(code) : .signal(signal(of: end.waitStatus))
        if end.ranOutOfMemory { return .memoryLimit }
        if end.usedUpProcessorTime, !end.wasTerminated, let signal = termination.signal,
            signal.number == SIGKILL || signal.number == SIGXCPU
        {
            return .cpuLimit(signal)
        }
        if let reason {
            let killTookEffect = end.wasKilled && termination.signal?.number == SIGKILL
            if end.wasTerminated || killTookEffect { return outcome(for: reason, termination) }
        }
        switch termination {
        case .exitCode(let code): return .exited(code: code)
        case .signal(let signal): return .signaled(signal)
        }
    }

    /// Returns the outcome of a command whose slot ended without a record.
    ///
    /// - Parameters:
    ///   - reason: the reason for which this service killed the slot, if it did. Without a reason the outcome is an
    ///     internal error.
    ///   - started: whether the command had started.
    /// - Returns: the only outcome of the run.
    package static func outcomeWithoutRecord(reason: StopReason?, started: Bool = true) -> Outcome {
        // No signal ended a command that never ran.
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

    /// The outcome of a command whose slot did not start it within the time for that.
    package static let outcomeOfSilentStart = Outcome.internalError(
        Failure(
            step: SetupStep.slot.rawValue,
            errno: "ETIMEDOUT",
            detail: "the sandbox was not ready in time. The host is overloaded or stuck; `sandglass doctor` tests it"
        )
    )

    /// Returns the outcome of a command that the OOM killer ended together with its slot.
    ///
    /// - Parameters:
    ///   - reason: the reason for which this service tried to end the run, if it did.
    ///   - isInGrace: whether the command was in its grace period after SIGTERM. The reason then stays the outcome.
    /// - Returns: the only outcome of the run.
    package static func outcomeOutOfMemory(reason: StopReason?, isInGrace: Bool) -> Outcome {
        guard let reason, isInGrace else { return .memoryLimit }
        return outcome(for: reason, .signal(.kill))
    }

    /// Returns the outcome of a command that never started.
    package static func outcome(of failure: SetupFailure) -> Outcome {
        let report = Failure(
            step: failure.step.rawValue,
            errno: SystemError.name(of: failure.number),
            detail: failure.step.isCommandFault
                ? "\(SystemError.meaning(of: failure.number)): \(hint(failure))" : failure.description
        )
        return failure.step.isCommandFault ? .startFailed(report) : .internalError(report)
    }

    private static func outcome(for reason: StopReason, _ termination: Termination) -> Outcome {
        switch reason {
        case .timedOut: .timedOut(termination)
        case .outputLimit: .outputLimit(termination)
        case .cancelled: .cancelled(termination)
        }
    }

    private static func signal(of waitStatus: Int32) -> Signal {
        let number = sandglass_termination_signal(waitStatus)
        let name = sandglass_signal_abbreviation(number).map { "SIG" + String(cString: $0) }
        return Signal(
            number: number,
            name: name ?? "SIG\(number)",
            coreDumped: sandglass_core_dumped(waitStatus) == 1
        )
    }

    private static func hint(_ failure: SetupFailure) -> String {
        if failure.step == .files {
            if failure.number == ENOSPC {
                return "the files of the run do not fit into its diskBytes, or there are too many of them"
            }
            return failure.entry.map { hint(failure.number, inEntry: $0) }
                ?? "a file of the run cannot be created in /box"
        }
        guard failure.step == .exec else { return "the working directory cannot be entered inside the sandbox" }
        return switch failure.number {
        case ENOENT: "the command, or the interpreter that it names, does not exist inside the sandbox"
        case EACCES: "the command is a directory or may not be executed"
        case ENOEXEC: "the command is neither a program of this machine nor a script that begins with #!"
        case E2BIG: "arguments and environment together are too large"
        default: "the command could not be executed"
        }
    }

    /// Explains an entry of an archive that could not be created.
    private static func hint(_ number: Int32, inEntry entry: Int) -> String {
        switch number {
        case EBADMSG, EIO: "the archive is damaged, truncated or no tar archive, at its entry \(entry)"
        case EINVAL: "entry \(entry) of the archive has a path or a target that does not stay below /box"
        case EOPNOTSUPP:
            "entry \(entry) of the archive has a kind that is not unpacked, such as a device, a FIFO or a sparse file"
        case E2BIG: "the archive has more than \(RunFile.maximumArchiveEntries) entries"
        case EEXIST: "the path of entry \(entry) of the archive exists already"
        case ENOTDIR: "the parent of entry \(entry) of the archive is a file or a symbolic link"
        default: "entry \(entry) of the archive cannot be created in /box"
        }
    }
}

extension Failure {
    /// Describes a failed set-up step for callers.
    package init(_ failure: SetupFailure) {
        self.init(
            step: failure.step.rawValue,
            errno: SystemError.name(of: failure.number),
            detail: failure.description
        )
    }
}
