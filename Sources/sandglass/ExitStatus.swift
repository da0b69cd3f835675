internal import Runs

/// The exit statuses of `sandglass run` and `submit`: those of timeout(1).
enum ExitStatus {
    static let timedOut: Int32 = 124
    static let sandglassFailed: Int32 = 125
    static let notExecutable: Int32 = 126
    static let notFound: Int32 = 127

    /// The status for an outcome.
    ///
    /// - Parameters:
    ///   - outcome: how the command ended.
    ///   - stopSignal: the signal that asked this program itself to stop, if one did.
    /// - Returns: the status to exit with.
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
