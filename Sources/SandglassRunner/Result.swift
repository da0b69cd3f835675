internal import Execution
internal import RunModel

extension Runner {
    /// A run that has ended.
    public struct Result: Sendable, Hashable {
        /// The outcome, decided from the kernel's record.
        public let outcome: Outcome
        /// The resources used; `nil` when the command never started.
        public let usage: Usage?
        /// The kept part of descriptor 1.
        public let standardOutput: Output
        /// The kept part of descriptor 2.
        public let standardError: Output
    }

    /// The kept part of an output stream.
    public struct Output: Sendable, Hashable {
        /// The first ``Limits/outputBytes`` bytes.
        public let bytes: [UInt8]
        /// The bytes that the command wrote, including those that were dropped.
        public let totalBytes: Int

        /// True if bytes were dropped.
        public var isTruncated: Bool { bytes.count < totalBytes }
        /// The bytes as text, with every byte that is not UTF-8 replaced.
        public var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// The resources that a run used.
    public struct Usage: Sendable, Hashable {
        /// The time from the command's exec to its end.
        public let wall: Duration
        /// The processor time in user mode of all processes; `nil` when it is not known.
        public let user: Duration?
        /// The processor time in the kernel of all processes; `nil` when it is not known.
        public let system: Duration?
        /// The highest memory use, files in memory included; `nil` when it is not known.
        public let peakMemoryBytes: Int?
        /// The largest resident set of one process in bytes; `nil` when it is not known.
        public let maxResidentBytes: Int?
    }

    /// The outcome of a run: exactly one of these.
    public enum Outcome: Sendable, Hashable {
        /// The command ended by itself with this exit code, 0 to 255.
        case exited(code: Int32)
        /// A signal ended the command that the runner did not send.
        case signaled(Signal)
        /// The command was still running at its timeout, and the runner ended it.
        case timedOut(Termination)
        /// The command used up its processor time and was ended.
        case cpuLimit(Signal)
        /// The kernel's OOM killer ended the run because of its own memory limit.
        case memoryLimit
        /// The command exceeded its output limit and was ended, as it had asked.
        case outputLimit(Termination)
        /// The run's task was cancelled; `nil` when the command had not started.
        case cancelled(Termination?)
        /// The command never started: for example, the program does not exist.
        case startFailed(Failure)
    }

    /// The end of a command that the runner terminated.
    public enum Termination: Sendable, Hashable {
        /// The command chose this exit code while it handled SIGTERM in its grace period.
        case exitCode(Int32)
        /// This signal ended the command.
        case signal(Signal)
    }

    /// A signal that ended a command (signal(7)).
    public struct Signal: Sendable, Hashable {
        /// The number, such as 11.
        public let number: Int32
        /// The name, such as `SIGSEGV`.
        public let name: String
        /// True if the kernel wrote a core dump.
        public let coreDumped: Bool
    }

    /// The reason for which there was no sandbox, or for which a command never started.
    public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        /// The step that failed, such as `exec`.
        public let step: String
        /// The name of the error number, such as `ENOENT`.
        public let errno: String
        /// A sentence for people.
        public let detail: String

        /// The detail with the step and the error number.
        public var description: String { "\(detail) (\(step): \(errno))" }
    }
}

extension Runner.Failure {
    init(_ failure: RunModel.Failure) {
        self.init(step: failure.step, errno: failure.errno, detail: failure.detail)
    }
}

extension Runner.Result {
    /// Converts a run that has ended.
    ///
    /// - Throws: a failure of the sandbox itself, which says nothing about the command.
    init(_ run: SandboxedExecution.CompletedRun) throws(RunModel.Failure) {
        outcome = try Runner.Outcome(run.result.outcome)
        usage = run.result.usage.map { usage in
            Runner.Usage(
                wall: usage.wall,
                user: usage.user,
                system: usage.system,
                peakMemoryBytes: usage.peakMemoryBytes,
                maxResidentBytes: usage.maxResidentBytes
            )
        }
        standardOutput = Runner.Output(run.standardOutput)
        standardError = Runner.Output(run.standardError)
    }
}

extension Runner.Output {
    fileprivate init(_ output: CapturedOutput) {
        guard case .bytes(let bytes) = output.content else { preconditionFailure("the output is not in memory") }
        self.init(bytes: bytes, totalBytes: output.totalBytes)
    }
}

extension Runner.Outcome {
    fileprivate init(_ outcome: RunModel.Outcome) throws(RunModel.Failure) {
        switch outcome {
        case .exited(let code): self = .exited(code: code)
        case .signaled(let signal): self = .signaled(Runner.Signal(signal))
        case .timedOut(let termination): self = .timedOut(Runner.Termination(termination))
        case .cpuLimit(let signal): self = .cpuLimit(Runner.Signal(signal))
        case .memoryLimit: self = .memoryLimit
        case .outputLimit(let termination): self = .outputLimit(Runner.Termination(termination))
        case .cancelled(let termination): self = .cancelled(termination.map(Runner.Termination.init))
        case .startFailed(let failure): self = .startFailed(Runner.Failure(failure))
        case .internalError(let failure): throw failure
        case .lost: throw Failure(step: "run", errno: "ECHILD", detail: "the record of this run was lost")
        }
    }
}

extension Runner.Termination {
    fileprivate init(_ termination: RunModel.Termination) {
        switch termination {
        case .exitCode(let code): self = .exitCode(code)
        case .signal(let signal): self = .signal(Runner.Signal(signal))
        }
    }
}

extension Runner.Signal {
    fileprivate init(_ signal: RunModel.Signal) {
        self.init(number: signal.number, name: signal.name, coreDumped: signal.coreDumped)
    }
}
