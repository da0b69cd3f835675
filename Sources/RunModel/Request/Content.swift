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
