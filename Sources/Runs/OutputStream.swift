/// One of the two streams that a command writes to.
public enum OutputStream: String, Sendable, Hashable, CaseIterable {
    /// Descriptor 1.
    case standardOutput = "stdout"
    /// Descriptor 2.
    case standardError = "stderr"
}
