/// Bytes that a run is given: its input, or a file.
public enum Content: Sendable, Hashable {
    /// These bytes.
    case bytes([UInt8])
    /// Those of the blob with this SHA-256, as 64 hexadecimal digits in lower case.
    case blob(sha256: String)

    /// None.
    public static let empty = Content.bytes([])

    /// Whether there is nothing to read; of a blob that is not known here.
    public var isEmpty: Bool { self == .empty }

    /// Memory that it takes.
    public var bytesInMemory: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .blob(let digest): digest.utf8.count
        }
    }

    /// Its bytes, if they are at hand.
    public var bytes: [UInt8]? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }

    /// The blob that it is, if it is one.
    public var blob: String? {
        if case .blob(let digest) = self { digest } else { nil }
    }
}

extension Content: ExpressibleByArrayLiteral {
    /// These bytes.
    public init(arrayLiteral elements: UInt8...) { self = .bytes(elements) }
}
