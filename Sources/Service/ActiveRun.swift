internal import Execution
internal import Reactor
internal import Runs
internal import Store

/// A run whose command is being started, runs, or is being ended.
@Reactor
final class ActiveRun {
    private let standardOutput: OutputRecorder
    private let standardError: OutputRecorder
    var execution: Execution?

    init(standardOutput: OutputRecorder, standardError: OutputRecorder) {
        self.standardOutput = standardOutput
        self.standardError = standardError
    }

    /// What went wrong while its output was being kept.
    var failures: [StoreError] { [standardOutput, standardError].compactMap(\.failure) }

    func keep(_ part: UnsafeRawBufferPointer, of stream: OutputStream) -> SinkAnswer {
        switch stream {
        case .standardOutput: standardOutput.append(part)
        case .standardError: standardError.append(part)
        }
        return .more
    }

    func showOutput(in run: inout Run) {
        guard let execution else { return }
        run.standardOutput = standardOutput.captured(totalBytes: execution.totalBytes(.standardOutput))
        run.standardError = standardError.captured(totalBytes: execution.totalBytes(.standardError))
    }
}
