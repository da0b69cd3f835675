/// One of the two streams that a command writes to.
package enum OutputStream: String, Sendable, Hashable, CaseIterable {
    /// Descriptor 1.
    case standardOutput = "stdout"
    /// Descriptor 2.
    case standardError = "stderr"
}

/// The kept part of an output stream.
package struct CapturedOutput: Sendable, Hashable {
    /// The location of the kept bytes.
    package enum Content: Sendable, Hashable {
        /// In memory.
        case bytes([UInt8])
        /// The first `count` bytes of a file that the store owns.
        case file(path: String, count: Int)
    }

    /// The kept bytes.
    package let content: Content
    /// The number of bytes that the command wrote, including those beyond the limit.
    package let totalBytes: Int

    package init(content: Content, totalBytes: Int) {
        self.content = content
        self.totalBytes = totalBytes
    }

    /// The output of a command that wrote nothing.
    package static let empty = CapturedOutput(content: .bytes([]), totalBytes: 0)

    /// The number of kept bytes.
    package var keptBytes: Int {
        switch content {
        case .bytes(let bytes): bytes.count
        case .file(_, let count): count
        }
    }

    /// A Boolean value indicating whether the command wrote more than was kept.
    package var truncated: Bool { keptBytes < totalBytes }
}
