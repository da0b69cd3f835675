/// The bytes of a run's standard input or of one of its files.
package enum Content: Sendable, Hashable {
    /// The bytes themselves.
    case bytes([UInt8])
    /// The bytes of the blob with this SHA-256, as 64 lowercase hexadecimal digits.
    case blob(sha256: String)

    /// No bytes.
    package static let empty = Content.bytes([])

    /// A Boolean value indicating whether the content is known to be empty.
    ///
    /// It is `false` for every blob, because the size of a blob is not known here.
    package var isEmpty: Bool { self == .empty }

    /// The number of bytes that the content occupies in memory.
    package var bytesInMemory: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .blob(let digest): digest.utf8.count
        }
    }

    /// The bytes; `nil` for a blob.
    package var bytes: [UInt8]? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }

    /// The digest of the blob; `nil` for bytes.
    package var blob: String? {
        if case .blob(let digest) = self { digest } else { nil }
    }
}

extension Content: ExpressibleByArrayLiteral {
    package init(arrayLiteral elements: UInt8...) { self = .bytes(elements) }
}

/// An input file of a run, placed below `/box`.
package struct RunFile: Sendable, Hashable {
    /// The maximum length of a path in bytes: the kernel's PATH_MAX without `/box/` and the final NUL.
    package static let longestPath = 4096 - 6
    /// The maximum length of a name between slashes in bytes (NAME_MAX).
    package static let longestName = 255

    /// The path below `/box`, such as `src/main.c`.
    package let path: String
    /// The content of the file.
    package let content: Content
    /// A Boolean value indicating whether the command may execute the file.
    package let isExecutable: Bool

    package init(path: String, content: Content, isExecutable: Bool = false) {
        self.path = path
        self.content = content
        self.isExecutable = isExecutable
    }
}
