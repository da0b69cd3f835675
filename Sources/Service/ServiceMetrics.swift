package import CoreMetrics
internal import Execution
internal import Reactor
internal import RunModel
internal import System

/// The metrics of the service.
///
/// Every label value comes from a fixed list in this program. A client cannot create a label value.
package struct ServiceMetrics: Sendable {
    let accepted: Counter
    let queueWait: CoreMetrics.Timer
    let running: Meter
    let queueDepth: Meter
    let slotsReady: Meter

    private let rejected: [String: Counter]
    private let outcomes: [String: Counter]
    private let runDuration: CoreMetrics.Timer
    private let spawnDuration: CoreMetrics.Timer
    let slotRetries: Counter
    private let standardOutput: Counter
    private let standardError: Counter

    /// Creates the metrics.
    ///
    /// - Parameter factory: the registry that stores the values.
    package init(factory: any MetricsFactory = NOOPMetricsHandler.instance) {
        func counter(_ name: String, _ labels: [(String, String)] = []) -> Counter {
            Counter(label: name, dimensions: labels, factory: factory)
        }
        func counters(_ name: String, _ label: String, _ values: [String]) -> [String: Counter] {
            Dictionary(uniqueKeysWithValues: values.map { ($0, counter(name, [(label, $0)])) })
        }
        accepted = counter("sandglass_runs_accepted_total")
        rejected = counters("sandglass_runs_rejected_total", "reason", SubmissionError.reasons)
        outcomes = counters("sandglass_runs_total", "outcome", Outcome.names)
        slotRetries = counter("sandglass_slot_retries_total")
        standardOutput = counter("sandglass_output_bytes_total", [("stream", "stdout")])
        standardError = counter("sandglass_output_bytes_total", [("stream", "stderr")])
        queueWait = CoreMetrics.Timer(label: "sandglass_queue_wait_seconds", factory: factory)
        runDuration = CoreMetrics.Timer(label: "sandglass_run_duration_seconds", factory: factory)
        spawnDuration = CoreMetrics.Timer(label: "sandglass_spawn_duration_seconds", factory: factory)
        running = Meter(label: "sandglass_runs_running", factory: factory)
        queueDepth = Meter(label: "sandglass_queue_depth", factory: factory)
        slotsReady = Meter(label: "sandglass_slots_ready", factory: factory)
    }

    /// Counts a rejected submission.
    func rejected(_ error: SubmissionError) { rejected[error.reason]?.increment() }

    /// Counts finished runs of one outcome.
    func finished(_ outcome: String, count: Int = 1) { outcomes[outcome]?.increment(by: count) }

    /// Records the output and the times of a command that ended.
    func commandEnded(_ result: RunResult, spawn: Duration?) {
        standardOutput.increment(by: result.outputBytes)
        standardError.increment(by: result.errorBytes)
        if let spawn { spawnDuration.recordNanoseconds(spawn.wholeNanoseconds) }
        if let wall = result.usage?.wall { runDuration.recordNanoseconds(wall.wholeNanoseconds) }
    }
}
