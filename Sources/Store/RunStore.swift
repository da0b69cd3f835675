public import Runs

/// Remembers runs.
///
/// Its owner calls it from one thread.
public protocol RunStore: AnyObject {
    /// Remembers a new run.
    func insert(_ run: Run)

    /// Replaces what is known of a run by something newer.
    func update(_ run: Run)

    /// What is known of a run; `nil` if there is none of that name, or not any more.
    func run(_ id: RunID) -> Run?

    /// Whether there is a run of that name.
    func contains(_ id: RunID) -> Bool

    /// Where the output of a run goes while it runs.
    func recorder(for id: RunID, _ stream: OutputStream) -> OutputRecorder

    /// The store is not used any more.
    func close()
}
