public import CoreMetrics
internal import Execution
internal import Reactor
internal import Runs

/// What the service counts, for whoever watches it.
///
/// Labels are names that this program knows: nothing that a client sends is one.
public struct ServiceMetrics: Sendable {
    let accepted: Counter
    let queueWait: CoreMetrics.Timer
    let running: Meter
    let queueDepth: Meter
    let slotsReady: Meter

    private let rejected: [String: Counter]
    private let outcomes: [String: Counter]
    private let runDuration: CoreMetrics.Timer
    private let spawnDuration: CoreMetrics.Timer
    private let standardOutput: Counter
    private let standardError: Counter

    /// - Parameter factory: who keeps the numbers.
    public init(factory: any MetricsFactory = NOOPMetricsHandler.instance) {
        func counter(_ name: String, _ labels: [(String, String)] = []) -> Counter {
            Counter(label: name, dimensions: labels, factory: factory)
        }
        func counters(_ name: String, _ label: String, _ values: [String]) -> [String: Counter] {
            Dictionary(uniqueKeysWithValues: values.map { ($0, counter(name, [(label, $0)])) })
        }
        accepted = counter("sandglass_runs_accepted_total")
        rejected = counters("sandglass_runs_rejected_total", "reason", SubmissionError.reasons)
        outcomes = counters("sandglass_runs_total", "outcome", Outcome.names)
        standardOutput = counter("sandglass_output_bytes_total", [("stream", "stdout")])
        standardError = counter("sandglass_output_bytes_total", [("stream", "stderr")])
        queueWait = CoreMetrics.Timer(label: "sandglass_queue_wait_seconds", factory: factory)
        runDuration = CoreMetrics.Timer(label: "sandglass_run_duration_seconds", factory: factory)
        spawnDuration = CoreMetrics.Timer(label: "sandglass_spawn_duration_seconds", factory: factory)
        running = Meter(label: "sandglass_runs_running", factory: factory)
        queueDepth = Meter(label: "sandglass_queue_depth", factory: factory)
        slotsReady = Meter(label: "sandglass_slots_ready", factory: factory)
    }

    func refused(_ error: SubmissionError) { rejected[error.reason]?.increment() }

    func finished(_ outcome: String, count: Int = 1) { outcomes[outcome]?.increment(by: count) }

    /// A command has ended.
    func ended(_ conclusion: Conclusion, spawn: Duration?) {
        standardOutput.increment(by: conclusion.outputBytes)
        standardError.increment(by: conclusion.errorBytes)
        if let spawn { spawnDuration.recordNanoseconds(spawn.wholeNanoseconds) }
        if let wall = conclusion.usage?.wall { runDuration.recordNanoseconds(wall.wholeNanoseconds) }
    }
}
