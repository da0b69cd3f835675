/// What happens when a command writes more than its limit to a stream.
public enum OutputLimitPolicy: String, Sendable, Hashable, CaseIterable {
    /// The rest is read, counted and dropped; the command goes on.
    case truncate
    /// The run is ended with the outcome `output_limit`.
    case kill
}
