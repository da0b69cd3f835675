internal import RunModel

/// The exit statuses of `sandglass run` and `submit`, which follow timeout(1).
enum ExitStatus {
    static let timedOut: Int32 = 124
    static let sandglassFailed: Int32 = 125
    static let notExecutable: Int32 = 126
    static let notFound: Int32 = 127

    /// Returns the exit status for an outcome.
    ///
    /// - Parameters:
    ///   - outcome: The outcome of the command.
    ///   - stopSignal: The signal that asked this program itself to stop, if any.
    /// - Returns: The exit status of `sandglass`.
    static func status(of outcome: Outcome, stopSignal: Int32?) -> Int32 {
        switch outcome {
        case .exited(let code): code
        case .signaled(let signal), .cpuLimit(let signal): 128 + signal.number
        case .memoryLimit: 128 + Signal.kill.number
        case .timedOut: timedOut
        case .cancelled: stopSignal.map { 128 + $0 } ?? sandglassFailed
        case .startFailed(let failure) where failure.step == "exec":
            failure.errno == "ENOENT" ? notFound : notExecutable
        case .startFailed, .outputLimit, .internalError, .lost: sandglassFailed
        }
    }
}

/// The message about an outcome whose exit status is ambiguous or says too little.
enum OutcomeMessage {
    /// Returns the message about an outcome.
    ///
    /// - Parameters:
    ///   - outcome: The outcome of the command.
    ///   - stopSignal: The signal that asked this program itself to stop, if any.
    /// - Returns: The message; `nil` if the exit status is clear.
    static func text(_ outcome: Outcome, stopSignal: Int32?) -> String? {
        switch outcome {
        case .startFailed(let failure), .internalError(let failure): failure.detail
        case .memoryLimit: "exceeded its memory limit"
        case .cpuLimit: "exceeded its CPU time limit"
        case .timedOut: "timed out"
        case .outputLimit: "exceeded its output limit"
        case .lost: "lost: the server or its host stopped during the run"
        case .cancelled: stopSignal == nil ? "cancelled" : nil
        case .exited, .signaled: nil
        }
    }
}
