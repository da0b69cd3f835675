internal import CoreMetrics
internal import Logs
internal import Prometheus
internal import Service
internal import Store

/// The numbers of a running server.
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
        Meter(label: "sandglass_build_info", dimensions: [("version", Sandglass.version)], factory: registry).set(1)
    }

    /// All of them, as Prometheus reads them.
    func render() -> [UInt8] {
        process.update()
        droppedLines.set(Double(LogOutput.standardError.droppedLines))
        return registry.render()
    }

    /// From a tenth of a millisecond, which no command's start takes, to where a service is of no use.
    private static let short = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
    /// From what a small command takes to the longest limit.
    private static let long = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600,
    ]

    private static let families = [
        MetricFamily("sandglass_build_info", .gauge, "The program; always 1."),
        MetricFamily("sandglass_runs_total", .counter, "Runs that are finished, by how they ended."),
        MetricFamily("sandglass_runs_accepted_total", .counter, "Runs that were accepted."),
        MetricFamily("sandglass_runs_rejected_total", .counter, "Wishes for a run that were refused, by the reason."),
        MetricFamily("sandglass_runs_running", .gauge, "Runs whose command is being started, runs, or is being ended."),
        MetricFamily("sandglass_queue_depth", .gauge, "Runs that wait for their turn."),
        MetricFamily(
            "sandglass_queue_wait_seconds",
            .histogram(bounds: long),
            "How long runs waited for their turn, in seconds, over restarts too."
        ),
        MetricFamily(
            "sandglass_run_duration_seconds",
            .histogram(bounds: long),
            "How long commands ran, from exec to their end, in seconds."
        ),
        MetricFamily(
            "sandglass_spawn_duration_seconds",
            .histogram(bounds: short),
            "From a run's turn to its command's exec, in seconds."
        ),
        MetricFamily(
            "sandglass_output_bytes_total",
            .counter,
            "What commands wrote, by the stream, in bytes, past the limit too; counted when they end."
        ),
        MetricFamily(
            "sandglass_slots_ready",
            .gauge,
            "Sandboxes that are kept ahead of need, those included that are just being set up."
        ),
        MetricFamily(
            "sandglass_store_commit_duration_seconds",
            .histogram(bounds: short),
            "How long it took to write what waited, in seconds; many runs share one commit."
        ),
        MetricFamily("sandglass_store_runs", .gauge, "Finished runs that are remembered."),
        MetricFamily("sandglass_store_bytes", .gauge, "What finished runs take, their output included, in bytes."),
        MetricFamily("sandglass_blobs", .gauge, "Blobs that are kept."),
        MetricFamily(
            "sandglass_blob_bytes",
            .gauge,
            "What blobs take, in bytes, whole blocks each, with what is set aside for those that are coming."
        ),
        MetricFamily(
            "sandglass_http_requests_total",
            .counter,
            "Requests that are over, by method and status; code none: nobody was there to be answered."
        ),
        MetricFamily(
            "sandglass_http_request_duration_seconds",
            .histogram(bounds: short + [10, 30, 60, 300]),
            "From the request line to the end of the answer, in seconds, long polls included."
        ),
        MetricFamily(
            "sandglass_http_request_bytes_total",
            .counter,
            "Bodies of requests that were taken in, in bytes."
        ),
        MetricFamily("sandglass_http_response_bytes_total", .counter, "Bodies of answers, in bytes."),
        MetricFamily("sandglass_http_connections", .gauge, "Connections that are open, idle ones included."),
        MetricFamily(
            "sandglass_log_lines_dropped_total",
            .counter,
            "Lines of the log that were dropped because nobody read the pipe that standard error is."
        ),
    ]
}
