import Execution
import Reactor
import Runs
import Sandbox

/// A command under way in an ``Execution`` of its own, for tests that act while it runs.
@Reactor
final class Command {
    private(set) var output: [OutputStream: [UInt8]] = [:]
    private(set) var execution: Execution?
    private(set) var startCount = 0
    private(set) var conclusions: [Conclusion] = []
    var answer = SinkAnswer.more
    private var onStart: CheckedContinuation<Void, Never>?
    private var onOutput: CheckedContinuation<Void, Never>?
    private var onEnd: CheckedContinuation<Void, Never>?

    init(_ specification: RunSpecification, on launcher: Launcher, input: Execution.Input = .specification) throws {
        let observer = Execution.Observer(
            started: {
                self.startCount += 1
                self.onStart?.resume()
                self.onStart = nil
            },
            output: { stream, part in
                self.output[stream, default: []] += part
                self.onOutput?.resume()
                self.onOutput = nil
                return self.answer
            },
            ended: { conclusion in
                self.conclusions.append(conclusion)
                self.onEnd?.resume()
                self.onEnd = nil
            }
        )
        execution = try Execution(specification, on: launcher, input: input, observer: observer)
    }

    /// Waits until its slot has said that it was started, which may be later than its first output.
    func start() async {
        guard startCount == 0 else { return }
        await withCheckedContinuation { onStart = $0 }
    }

    /// Waits until it has written something.
    func firstOutput() async {
        guard output.isEmpty else { return }
        await withCheckedContinuation { onOutput = $0 }
    }

    /// Waits until it is over.
    func conclusion() async -> Conclusion {
        if conclusions.isEmpty {
            await withCheckedContinuation { onEnd = $0 }
        }
        return conclusions[0]
    }

    func text(_ stream: OutputStream = .standardOutput) -> String {
        String(decoding: output[stream] ?? [], as: UTF8.self)
    }
}

extension RunSpecification {
    /// A script for sh(1).
    static func script(
        _ script: String,
        timeout: Duration = .seconds(60),
        grace: Duration = .zero,
        outputBytes: Int = 1 << 20,
        onOutputLimit: OutputLimitPolicy = .truncate,
        standardInput: Content = .empty
    ) -> RunSpecification {
        var limits = Limits()
        limits.timeout = timeout
        limits.outputBytes = outputBytes
        return RunSpecification(
            command: ["sh", "-c", script],
            standardInput: standardInput,
            limits: limits,
            grace: grace,
            onOutputLimit: onOutputLimit
        )
    }
}

extension CapturedOutput {
    /// What was kept in memory, as text.
    var text: String {
        guard case .bytes(let bytes) = content else { return "not in memory" }
        return String(decoding: bytes, as: UTF8.self)
    }
}
