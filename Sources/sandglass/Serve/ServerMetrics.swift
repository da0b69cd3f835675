internal import CoreMetrics
internal import Service
internal import Store
internal import Telemetry

/// The metrics of a running server.
struct ServerMetrics: Sendable {
    let registry = PrometheusRegistry(Self.families + ProcessMetrics.families)
    let service: ServiceMetrics
    let store: StoreMetrics
    private let process: ProcessMetrics
    private let droppedLines: Meter

    init() {
        service = ServiceMetrics(factory: registry)
        store = StoreMetrics(factory: registry)
        process = ProcessMetrics(factory: registry)
        droppedLines = Meter(label: "sandglass_log_lines_dropped_total", factory: registry)
        Meter(label: "sandglass_build_info", dimensions: [("version", SandglassCommand.version)], factory: registry)
            .set(1)
    }

    /// Renders all metrics for Prometheus.
    func render() -> [UInt8] {
        process.update()
        droppedLines.set(Double(LogOutput.standardError.droppedLines))
        return registry.render()
    }

    /// Bounds from 0.1 ms, which is shorter than any start of a command, to 5 s, at which the service is unusable.
    private static let short = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
    /// Bounds from the duration of a small command to the longest default limit.
    private static let long = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600,
    ]

    private static let families = [
        MetricFamily("sandglass_build_info", .gauge, "Version of the program; the value is always 1."),
        MetricFamily("sandglass_runs_total", .counter, "Finished runs by outcome."),
        MetricFamily("sandglass_runs_accepted_total", .counter, "Accepted runs."),
        MetricFamily("sandglass_runs_rejected_total", .counter, "Rejected requests for a run by reason."),
        MetricFamily("sandglass_runs_running", .gauge, "Runs whose command is starting, running or ending."),
        MetricFamily("sandglass_queue_depth", .gauge, "Queued runs."),
        MetricFamily(
            "sandglass_queue_wait_seconds",
            .histogram(bounds: long),
            "Time that runs spent in the queue, including server restarts, in seconds."
        ),
        MetricFamily(
            "sandglass_run_duration_seconds",
            .histogram(bounds: long),
            "Time from the exec of a command to its end, in seconds."
        ),
        MetricFamily(
            "sandglass_spawn_duration_seconds",
            .histogram(bounds: short),
            "Time from leaving the queue to the exec of the command, in seconds."
        ),
        MetricFamily(
            "sandglass_slot_retries_total",
            .counter,
            "Sandboxes that failed before their command began and were replaced by another."
        ),
        MetricFamily(
            "sandglass_output_bytes_total",
            .counter,
            "Bytes that commands wrote by stream, including those over the limit; counted at their end."
        ),
        MetricFamily(
            "sandglass_slots_ready",
            .gauge,
            "Spare sandboxes, including those that are being set up."
        ),
        MetricFamily(
            "sandglass_store_commit_duration_seconds",
            .histogram(bounds: short),
            "Duration of a database commit, in seconds; many runs share one commit."
        ),
        MetricFamily("sandglass_store_runs", .gauge, "Stored finished runs."),
        MetricFamily("sandglass_store_bytes", .gauge, "Size of the stored finished runs with their output, in bytes."),
        MetricFamily("sandglass_blobs", .gauge, "Stored blobs."),
        MetricFamily(
            "sandglass_blob_bytes",
            .gauge,
            "Disk space of blobs in whole blocks, including the space reserved for uploads, in bytes."
        ),
        MetricFamily(
            "sandglass_http_requests_total",
            .counter,
            "Completed requests by method and status; code none if the client had disconnected."
        ),
        MetricFamily(
            "sandglass_http_request_duration_seconds",
            .histogram(bounds: short + [10, 30, 60, 300]),
            "Time from the request line to the end of the response, including long polls, in seconds."
        ),
        MetricFamily(
            "sandglass_http_request_bytes_total",
            .counter,
            "Received bytes of request bodies."
        ),
        MetricFamily("sandglass_http_response_bytes_total", .counter, "Sent bytes of response bodies."),
        MetricFamily("sandglass_http_connections", .gauge, "Open connections, including idle ones."),
        MetricFamily(
            "sandglass_log_lines_dropped_total",
            .counter,
            "Log lines dropped because the reader of standard error was too slow."
        ),
    ]
}
