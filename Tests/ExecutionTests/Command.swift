import Execution
import Reactor
import RunModel
import Sandbox

/// A command in a ``RunExecution`` of its own, for tests that act while it runs.
@ReactorActor
final class Command {
    private(set) var output: [OutputStream: [UInt8]] = [:]
    private(set) var execution: RunExecution?
    private(set) var startCount = 0
    private(set) var results: [RunResult] = []
    var backpressure = Backpressure.more
    private var onStart: CheckedContinuation<Void, Never>?
    private var onOutput: CheckedContinuation<Void, Never>?
    private var onEnd: CheckedContinuation<Void, Never>?

    init(_ specification: RunSpecification, on launcher: Launcher, input: RunExecution.Input = .specification) throws {
        let observer = RunExecution.Observer(
            started: {
                self.startCount += 1
                self.onStart?.resume()
                self.onStart = nil
            },
            output: { stream, part in
                self.output[stream, default: []] += part
                self.onOutput?.resume()
                self.onOutput = nil
                return self.backpressure
            },
            ended: { result in
                self.results.append(result)
                self.onEnd?.resume()
                self.onEnd = nil
            }
        )
        execution = try RunExecution(specification, on: launcher, input: input, observer: observer)
    }

    /// Waits for the slot's report of the start, which may arrive after the first output.
    func start() async {
        guard startCount == 0 else { return }
        await withCheckedContinuation { onStart = $0 }
    }

    /// Waits for the first output.
    func firstOutput() async {
        guard output.isEmpty else { return }
        await withCheckedContinuation { onOutput = $0 }
    }

    /// Waits for the end and returns the result.
    func result() async -> RunResult {
        if results.isEmpty {
            await withCheckedContinuation { onEnd = $0 }
        }
        return results[0]
    }

    func text(_ stream: OutputStream = .standardOutput) -> String {
        String(decoding: output[stream] ?? [], as: UTF8.self)
    }
}
