internal import Glibc
package import System

/// The files that a run has left in `/box`, readable once no process of the run exists.
///
/// Only the sandbox may read `/box`, so the sandbox stays until this object is released. All of `/box` is hostile. The
/// sandbox opens one name at a time, in a directory that it opened before. It follows no symbolic link, and no open
/// blocks.
///
/// One thread at a time may use this object, because each response must arrive before the next request is sent.
package final class SandboxFiles: Sendable {
    /// The maximum time that the sandbox may take to open a file, in milliseconds.
    ///
    /// An open takes microseconds. A sandbox that exceeds the timeout is stopped or starved.
    private static let timeoutMilliseconds: Int32 = 5000

    private let control: Descriptor
    private let onTimeout: @Sendable () -> Void

    init(_ control: consuming Descriptor, onTimeout: @escaping @Sendable () -> Void) {
        self.control = control
        self.onTimeout = onTimeout
    }

    /// Opens `/box`.
    package func openBox() throws(SystemError) -> Descriptor { try open([], in: nil) }

    /// Opens a file or directory for reading.
    ///
    /// - Parameters:
    ///   - name: the name of the entry, without a slash, at most 255 bytes.
    ///   - directory: the directory that holds the entry.
    /// - Returns: a non-blocking descriptor of the entry. The entry need not be a regular file.
    /// - Throws: `ELOOP` for a symbolic link, `EACCES` if the run's own user may not read the entry, `EPIPE` if the
    ///   sandbox is gone.
    package func open(_ name: [UInt8], in directory: borrowing Descriptor) throws(SystemError) -> Descriptor {
        try open(name, in: directory.raw)
    }

    /// Opens a symbolic link itself, for readlinkat(2) with an empty path.
    ///
    /// - Returns: a descriptor with O_PATH. The entry need not be a symbolic link.
    /// - Throws: as for ``open(_:in:)``.
    package func openLink(_ name: [UInt8], in directory: borrowing Descriptor) throws(SystemError) -> Descriptor {
        try open(name, in: directory.raw, isLink: true)
    }

    private func open(
        _ name: [UInt8],
        in directory: Int32?,
        isLink: Bool = false
    ) throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            try LauncherWire.sendOpen(name, in: directory, isLink: isLink, to: control.raw)
            return try LauncherWire.receiveOpened(from: control.raw, milliseconds: Self.timeoutMilliseconds)
        } catch {
            if error.number == ETIMEDOUT {
                onTimeout()
                // A late response must not be taken for the response to the next request.
                shutdown(control.raw, Int32(SHUT_RDWR))
            }
            throw error
        }
    }
}
