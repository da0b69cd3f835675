package import CoreMetrics

/// The metrics of a store.
package struct StoreMetrics: Sendable {
    /// The duration of each database transaction, including the commit.
    let commit: CoreMetrics.Timer
    /// The number of finished runs.
    let runs: Meter
    /// The bytes of the records, output and artifacts of finished runs.
    let bytes: Meter
    /// The number of blobs.
    let blobs: Meter
    /// The bytes of the blob quota in use, including reservations of uploads in progress.
    let blobBytes: Meter

    /// Creates the metrics; by default, they are discarded.
    package init(factory: any MetricsFactory = NOOPMetricsHandler.instance) {
        commit = CoreMetrics.Timer(label: "sandglass_store_commit_duration_seconds", factory: factory)
        runs = Meter(label: "sandglass_store_runs", factory: factory)
        bytes = Meter(label: "sandglass_store_bytes", factory: factory)
        blobs = Meter(label: "sandglass_blobs", factory: factory)
        blobBytes = Meter(label: "sandglass_blob_bytes", factory: factory)
    }

    func publish(_ total: (runs: Int64, bytes: Int64)) {
        runs.set(total.runs)
        bytes.set(total.bytes)
    }

    func publish(_ index: BlobIndex) {
        blobs.set(index.entries.count)
        blobBytes.set(index.quotaBytes)
    }
}
