/// One of the two streams that a command writes to.
package enum OutputStream: String, Sendable, Hashable, CaseIterable {
    /// Descriptor 1.
    case standardOutput = "stdout"
    /// Descriptor 2.
    case standardError = "stderr"
}

/// The kept bytes of an output stream: its beginning, and its end if bytes between them were cut.
package struct CapturedOutput: Sendable, Hashable {
    /// The location of the kept bytes.
    package enum Content: Sendable, Hashable {
        /// In memory, the end directly after the beginning.
        case bytes([UInt8])
        /// In a file that the store owns, each byte at its offset in the stream; `count` bytes are kept.
        case file(path: String, count: Int)
    }

    /// The kept bytes.
    package let content: Content
    /// The number of bytes that the command wrote, including those beyond the limit.
    package let totalBytes: Int
    /// The offsets of the kept end of the stream; empty if only the beginning is kept.
    package let tail: Range<Int>

    package init(content: Content, totalBytes: Int, tail: Range<Int> = 0..<0) {
        self.content = content
        self.totalBytes = totalBytes
        self.tail = tail
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

    /// The number of kept bytes at the beginning of the stream.
    package var headBytes: Int { keptBytes - tail.count }

    /// The offsets of the bytes that were not kept; `nil` if all were.
    package var cut: Range<Int>? {
        guard truncated else { return nil }
        return headBytes..<(tail.isEmpty ? totalBytes : tail.lowerBound)
    }

    /// The offset in the stream after the last kept byte.
    package var endOffset: Int { tail.isEmpty ? headBytes : tail.upperBound }

    /// Returns the offsets of the first kept bytes from an offset on that follow each other without a cut.
    ///
    /// - Parameter offset: an offset in the stream.
    /// - Returns: the offsets, an empty range if no byte is kept from there on.
    package func readable(from offset: Int) -> Range<Int> {
        if offset < headBytes { return offset..<headBytes }
        return offset < tail.upperBound ? max(offset, tail.lowerBound)..<tail.upperBound : offset..<offset
    }

    /// Returns the position of a kept byte in ``content``.
    ///
    /// - Parameter offset: the offset of the byte in the stream.
    /// - Returns: its index in the bytes or its offset in the file.
    package func position(of offset: Int) -> Int {
        if case .bytes = content, offset >= headBytes, !tail.isEmpty { return offset - tail.lowerBound + headBytes }
        return offset
    }
}

extension CapturedOutput {
    /// Creates the output of a stream whose bytes are in memory.
    ///
    /// - Parameters:
    ///   - bytes: the beginning of the stream, which may exceed the limit.
    ///   - totalBytes: the number of bytes that the command wrote.
    ///   - keepOutput: the part that is kept.
    ///   - limit: the maximum number of kept bytes.
    package init(bytes: [UInt8], totalBytes: Int, keeping keepOutput: KeepOutput, limit: Int) {
        let (head, tail) = keepOutput.kept(of: bytes.count, limit: limit)
        let kept = tail.isEmpty && head == bytes.count ? bytes : Array(bytes[..<head] + bytes[tail])
        self.init(content: .bytes(kept), totalBytes: totalBytes, tail: tail)
    }

    /// Creates the output of a stream that was recorded in a file.
    ///
    /// - Parameters:
    ///   - path: the file, which has each recorded byte at its offset in the stream.
    ///   - recordedBytes: the size of the file in bytes.
    ///   - totalBytes: the number of bytes that the command wrote; `nil` if only the file tells.
    ///   - keepOutput: the part that is kept.
    ///   - limit: the maximum number of kept bytes.
    package init(
        file path: String,
        recordedBytes: Int,
        totalBytes: Int? = nil,
        keeping keepOutput: KeepOutput,
        limit: Int
    ) {
        let (head, tail) = keepOutput.kept(of: recordedBytes, limit: limit)
        self.init(
            content: .file(path: path, count: head + tail.count),
            totalBytes: totalBytes ?? recordedBytes,
            tail: tail
        )
    }
}
