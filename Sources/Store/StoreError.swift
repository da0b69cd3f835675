internal import Glibc

/// The error of a file operation of the store.
package struct StoreError: Error, Sendable, Hashable {
    /// The failed operation, such as `mkdir`.
    package let operation: String
    /// The path of the file or directory.
    package let path: String
    /// The error number (errno(3)).
    package let number: Int32
    /// True if the disk, or the quota of the user on it, is full.
    package var isOutOfSpace: Bool { number == ENOSPC || number == EDQUOT }
    /// The explanation for the operator: the cause, and a remedy where one is known.
    package let detail: String

    /// Returns the error of the system call that just failed (errno(3)).
    static func system(_ operation: String, _ path: String) -> StoreError {
        let number = errno
        let advice =
            switch number {
            case ENOENT: "; make sure that the parent directory exists"
            case EACCES, EPERM: "; give the user of this process access to it"
            case EROFS: "; choose a directory on a writable file system"
            case ENOSPC, EDQUOT: "; free some space on this file system"
            case ENOTDIR: "; choose a path that is a directory"
            default: ""
            }
        return StoreError(
            operation: operation,
            path: path,
            number: number,
            detail: String(cString: strerror(number)) + advice
        )
    }
}

extension StoreError: CustomStringConvertible {
    /// The error in one line.
    package var description: String { "\(operation) \(path): \(detail)" }
}
