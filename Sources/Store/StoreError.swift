internal import Glibc

/// Why what is to be kept cannot be kept.
public struct StoreError: Error, Sendable, Hashable {
    /// What was being done, such as `mkdir`.
    public let operation: String
    /// The path.
    public let path: String
    /// The error number (errno(3)).
    public let number: Int32
    /// Whether there is no room left: on the disk, or in the user's share of it.
    public var isOutOfSpace: Bool { number == ENOSPC || number == EDQUOT }
    /// For people: what it means, and what can be done.
    public let detail: String
}

extension StoreError: CustomStringConvertible {
    /// One line.
    public var description: String { "\(operation) \(path): \(detail)" }
}
