internal import Logging
internal import Reactor
internal import Runs

/// Says that runs are refused, once in a while: whoever floods a server is not to flood its log too.
struct RefusalLog {
    private static let quiet = Duration.seconds(10)

    private let logger: Logger
    private var next: [String: MonotonicTime] = [:]

    init(_ logger: Logger) { self.logger = logger }

    mutating func note(_ error: SubmissionError) {
        let now = MonotonicTime.now
        let isFirst = next[error.reason].map { $0 <= now } ?? true
        if isFirst { next[error.reason] = now.advanced(by: Self.quiet) }
        var metadata: Logger.Metadata = ["reason": "\(error.reason)"]
        switch error {
        case .notStored(let failure): metadata["error"] = "\(failure)"
        case .queueFull(let waiting): metadata["queued"] = .stringConvertible(waiting)
        case .tooManyWaiting(let most): metadata["most"] = .stringConvertible(most)
        case .keyForgotten(let run): metadata["run"] = "\(run)"
        case .notAccepting, .keyTaken, .missingBlobs: break
        }
        logger.log(level: isFirst ? Self.level(error) : .debug, "a run was refused", metadata: metadata)
    }

    /// A client's mistake is no event for an operator.
    private static func level(_ error: SubmissionError) -> Logger.Level {
        switch error {
        case .notStored: .error
        case .queueFull: .warning
        case .notAccepting, .tooManyWaiting: .info
        case .keyTaken, .keyForgotten, .missingBlobs: .debug
        }
    }
}
