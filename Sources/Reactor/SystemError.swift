internal import CLinux
public import Glibc

/// A system call that failed: what was being done, and the kernel's answer.
public struct SystemError: Error, Sendable, Hashable {
    /// What was being done, such as `pipe2`.
    public let operation: String
    /// The error number (errno(3)).
    public let number: Int32

    /// A failed operation with its error number, by default the one that the last system call left.
    public init(_ operation: String, number: Int32 = errno) {
        self.operation = operation
        self.number = number
    }

    /// The name of the error number, such as `ENOENT`.
    public var name: String { Self.name(of: number) }

    /// The name of an error number.
    public static func name(of number: Int32) -> String {
        guard let name = sandglass_errno_name(number) else { return "E\(number)" }
        return String(cString: name)
    }

    /// What an error number means, for people (strerrordesc_np(3)).
    public static func meaning(of number: Int32) -> String {
        guard let meaning = sandglass_errno_meaning(number) else { return "Unknown error" }
        return String(cString: meaning)
    }
}

extension SystemError: CustomStringConvertible {
    /// One line.
    public var description: String { "\(operation): \(Self.meaning(of: number)) (\(name))" }
}
