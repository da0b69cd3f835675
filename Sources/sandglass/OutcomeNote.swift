internal import Runs

/// What is said about an end whose exit status could be the command's own, or that says too little.
enum OutcomeNote {
    /// What is said about an outcome.
    ///
    /// - Parameters:
    ///   - outcome: how the command ended.
    ///   - stopSignal: the signal that asked this program itself to stop, if one did.
    /// - Returns: the end of a sentence; `nil`: its exit status says it.
    static func text(_ outcome: Outcome, stopSignal: Int32?) -> String? {
        switch outcome {
        case .startFailed(let failure), .internalError(let failure): failure.detail
        case .memoryLimit: "it ran out of memory"
        case .cpuLimit: "it used up its processor time"
        case .timedOut: "it timed out"
        case .outputLimit: "it wrote more than it may"
        case .lost: "it was lost: the server or its machine ended while it ran"
        case .cancelled: stopSignal == nil ? "it was cancelled" : nil
        case .exited, .signaled: nil
        }
    }
}
