public import CoreMetrics

/// What a store counts, for whoever watches it.
public struct StoreMetrics: Sendable {
    /// How long it took to write what waited, the commit included.
    let commit: CoreMetrics.Timer
    /// How many finished runs are remembered.
    let runs: Meter
    /// How many bytes they take.
    let bytes: Meter
    /// How many blobs there are.
    let blobs: Meter
    /// How much room they take, and those that are coming.
    let blobBytes: Meter

    /// - Parameter factory: who keeps the numbers.
    public init(factory: any MetricsFactory = NOOPMetricsHandler.instance) {
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

    func publish(_ state: BlobStore.State) {
        blobs.set(state.entries.count)
        blobBytes.set(state.room)
    }
}
