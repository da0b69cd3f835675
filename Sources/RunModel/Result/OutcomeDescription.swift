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
                    + "and Sandglass ended it.",
                exitCode: codeOfGracePeriod,
                signal: signalOrNothing
            )
        case .cancelled:
            row(
                .optionalTermination,
                "A client cancelled the run, or the server was stopped.",
                exitCode: codeOfGracePeriod,
                signal: signalOrNothing + " if the run was still queued"
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
