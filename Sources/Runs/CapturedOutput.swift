/// What was kept of a stream.
public struct CapturedOutput: Sendable, Hashable {
    /// Where the kept bytes are.
    public enum Content: Sendable, Hashable {
        /// In memory.
        case bytes([UInt8])
        /// In a file that the store owns, from its beginning.
        case file(path: String, count: Int)
    }

    /// The kept bytes.
    public let content: Content
    /// How many bytes the command wrote, also past the limit.
    public let totalBytes: Int

    /// What was kept of a stream to which so many bytes were written.
    public init(content: Content, totalBytes: Int) {
        self.content = content
        self.totalBytes = totalBytes
    }

    /// A stream to which nothing was written.
    public static let empty = CapturedOutput(content: .bytes([]), totalBytes: 0)

    /// How many bytes were kept.
    public var keptBytes: Int {
        switch content {
        case .bytes(let bytes): bytes.count
        case .file(_, let count): count
        }
    }

    /// Whether some of what was written was not kept.
    public var truncated: Bool { keptBytes < totalBytes }
}
