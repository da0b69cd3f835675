internal import CLinux
internal import Glibc

/// A failed system call: the operation and the error number (errno(3)).
package struct SystemError: Error, Sendable, Hashable {
    /// The operation, such as `pipe2`.
    package let operation: String
    /// The error number.
    package let number: Int32

    /// Records a failed operation.
    ///
    /// The error number defaults to the one that the last system call left.
    package init(_ operation: String, number: Int32 = errno) {
        self.operation = operation
        self.number = number
    }

    /// The name of the error number, such as `ENOENT`.
    package var name: String { Self.name(of: number) }

    /// Returns the name of an error number, such as `ENOENT`; `E` and the number if it has no name.
    package static func name(of number: Int32) -> String {
        guard let name = sandglass_errno_name(number) else { return "E\(number)" }
        return String(cString: name)
    }

    /// Returns the description of an error number for people (strerrordesc_np(3)).
    package static func meaning(of number: Int32) -> String {
        guard let meaning = sandglass_errno_meaning(number) else { return "Unknown error" }
        return String(cString: meaning)
    }
}

extension SystemError: CustomStringConvertible {
    /// The operation, the meaning and the name, in one line.
    package var description: String { "\(operation): \(Self.meaning(of: number)) (\(name))" }
}
