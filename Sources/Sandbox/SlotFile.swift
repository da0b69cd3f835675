/// A file that a slot makes in `/box` before it starts its command.
public struct SlotFile: Sendable, Hashable {
    /// Where its bytes come from.
    public enum Source: Sendable, Hashable {
        /// They are sent along.
        case bytes([UInt8])
        /// So many from the start of one of the descriptors that are sent along.
        case descriptor(index: Int, count: Int)
    }

    /// Below `/box`: without `.`, `..` and empty parts, at most PATH_MAX with `/box/` before it.
    public let path: String
    /// Its bytes.
    public let source: Source
    /// Whether everybody in the slot may execute it.
    public let isExecutable: Bool

    /// A file.
    ///
    /// The path may not hold a NUL byte.
    public init(path: String, source: Source, isExecutable: Bool) {
        self.path = path
        self.source = source
        self.isExecutable = isExecutable
    }
}
