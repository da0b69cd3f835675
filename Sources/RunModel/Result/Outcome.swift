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

/// The description of one kind of outcome: a row of ``Outcome/table``.
package struct OutcomeDescription: Sendable {
    /// The values that an outcome carries beside its name.
    package enum Payload: Sendable {
        case none
        /// The command's exit code.
        case exitCode
        /// The signal that ended the command.
        case signal
        /// A ``Termination``: a signal or an exit code.
        case termination
        /// A ``Termination``, or nothing where no command was running.
        case optionalTermination
        /// A ``Failure``.
        case failure
    }

    /// The kind of outcome.
    package let kind: Outcome.Kind
    /// The values that this kind of outcome carries.
    package let payload: Payload
    /// The explanation for clients: one or two sentences.
    package let summary: String
    /// The value of `exitCode` in the run's document, for the documentation.
    package let exitCode: String
    /// The value of `signal` in the run's document, for the documentation.
    package let signal: String
}

extension Outcome {
    /// A kind of outcome by the contract's name.
    ///
    /// To add an outcome, add a case here and in ``Outcome``. The compiler then requires its row in ``description`` and
    /// its cases in the switches of this file and of ``Outcome``. The store, the documents, the OpenAPI
    /// description, the metrics and the client follow from these.
    package enum Kind: String, Sendable, CaseIterable {
        case exited
        case signaled
        case timedOut = "timed_out"
        case cpuLimit = "cpu_limit"
        case memoryLimit = "memory_limit"
        case outputLimit = "output_limit"
        case cancelled
        case startFailed = "start_failed"
        case lost
        case internalError = "internal_error"
    }

    /// The kind of this outcome.
    package var kind: Kind {
        switch self {
        case .exited: .exited
        case .signaled: .signaled
        case .timedOut: .timedOut
        case .cpuLimit: .cpuLimit
        case .memoryLimit: .memoryLimit
        case .outputLimit: .outputLimit
        case .cancelled: .cancelled
        case .startFailed: .startFailed
        case .lost: .lost
        case .internalError: .internalError
        }
    }

    /// The descriptions of all kinds, in the order of the documentation.
    package static let table = Kind.allCases.map(\.description)

    /// Restores an outcome from the members of a run's document.
    ///
    /// The result is `nil` for an unknown name, for an exit without a code and for a signal without a number. Other
    /// missing values are replaced: a termination by SIGKILL, a failure by one without
    /// details.
    ///
    /// - Parameters:
    ///   - name: the contract's name.
    ///   - exitCode: the exit code, if the command chose one.
    ///   - signal: the signal that ended the command, if one did.
    ///   - failure: the failure, if there was one.
    package init?(name: String, exitCode: Int32?, signal: Signal?, failure: Failure?) {
        guard let kind = Kind(rawValue: name) else { return nil }
        let termination = exitCode.map { Termination.exitCode($0) } ?? signal.map { .signal($0) }
        let failure = failure ?? Failure(step: "", errno: "", detail: "no details are available")
        switch kind {
        case .exited:
            guard let exitCode else { return nil }
            self = .exited(code: exitCode)
        case .signaled:
            guard let signal else { return nil }
            self = .signaled(signal)
        case .timedOut: self = .timedOut(termination ?? .signal(.kill))
        case .cpuLimit: self = .cpuLimit(signal ?? .kill)
        case .memoryLimit: self = .memoryLimit
        case .outputLimit: self = .outputLimit(termination ?? .signal(.kill))
        case .cancelled: self = .cancelled(termination)
        case .startFailed: self = .startFailed(failure)
        case .lost: self = .lost
        case .internalError: self = .internalError(failure)
        }
    }
}

extension Outcome.Kind {
    /// The description of this kind.
    package var description: OutcomeDescription {
        let nothing = "null"
        let signal = "the signal that ended the command"
        let signalOrNothing = "the signal that ended the command, or null"
        let codeOfGracePeriod = "null, or the code that the command chose in its grace period"
        return switch self {
        case .exited:
            row(.exitCode, "The command ended by itself.", exitCode: "0 to 255", signal: nothing)
        case .signaled:
            row(.signal, "A signal that Sandglass did not send ended the command.", exitCode: nothing, signal: signal)
        case .timedOut:
            row(
                .termination,
                "The command was still running at `timeoutSeconds`, and Sandglass ended it.",
                exitCode: codeOfGracePeriod,
                signal: signalOrNothing
            )
        case .cpuLimit:
            row(
                .signal,
                "The run used up its `cpuSeconds` and was ended, without a grace period.",
                exitCode: nothing,
                signal: signal
            )
        case .memoryLimit:
            row(
                .none,
                "The kernel's OOM killer killed a process of the run because of `memoryBytes`, "
                    + "and that ended the whole run.",
                exitCode: nothing,
                signal: "SIGKILL"
            )
        case .outputLimit:
            row(
                .termination,
                "The command wrote more than `outputBytes`, the run had asked for `\"onOutputLimit\": \"kill\"`, "
                    + "and Sandglass ended it, without a grace period.",
                exitCode: nothing,
                signal: "SIGKILL"
            )
        case .cancelled:
            row(
                .optionalTermination,
                "A client cancelled the run, or the server was stopped.",
                exitCode: codeOfGracePeriod,
                signal: signalOrNothing + "; both are null if the run was still queued"
            )
        case .startFailed:
            row(
                .failure,
                "The command never started. `error` has the step and the errno.",
                exitCode: nothing,
                signal: nothing
            )
        case .lost:
            row(
                .none,
                "The server or its host died while the command ran. The output until then is kept.",
                exitCode: nothing,
                signal: nothing
            )
        case .internalError:
            row(
                .failure,
                "Sandglass failed; the command is not to blame. `error` has the step and the errno.",
                exitCode: nothing,
                signal: nothing
            )
        }
    }

    private func row(
        _ payload: OutcomeDescription.Payload,
        _ summary: String,
        exitCode: String,
        signal: String
    ) -> OutcomeDescription {
        OutcomeDescription(kind: self, payload: payload, summary: summary, exitCode: exitCode, signal: signal)
    }
}
