internal import Glibc
public import Reactor

/// What a run has left in its `/box`, when no process of it is left.
///
/// The sandbox, which is the only one that may read it, stays until this object goes. Everything in there is hostile: whatever is
/// opened is opened by its one name in a folder that was opened before, never followed if it is a symbolic link, and never waited for.
///
/// Used by one thread at a time: each question is answered before the next.
public final class LeftFiles: Sendable {
    /// How long the sandbox may take to open something, in milliseconds.
    ///
    /// It takes microseconds; one that does not answer is stopped or starved.
    private static let patience: Int32 = 5000

    private let control: Descriptor
    private let whenStuck: @Sendable () -> Void

    init(_ control: consuming Descriptor, whenStuck: @escaping @Sendable () -> Void) {
        self.control = control
        self.whenStuck = whenStuck
    }

    /// Opens `/box`.
    public func openBox() throws(SystemError) -> Descriptor { try open([], in: nil) }

    /// Opens a file or folder for reading.
    ///
    /// - Parameters:
    ///   - name: its name, without a slash, at most 255 bytes.
    ///   - folder: what it is in.
    /// - Returns: whatever it is, non-blocking: it need not be a file.
    /// - Throws: `ELOOP` for a symbolic link, `EACCES` for what the run's own user may not read, `EPIPE` if the sandbox is gone.
    public func open(_ name: [UInt8], in folder: borrowing Descriptor) throws(SystemError) -> Descriptor {
        try open(name, in: folder.raw)
    }

    private func open(_ name: [UInt8], in folder: Int32?) throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            try LauncherWire.sendOpen(name, in: folder, to: control.raw)
            return try LauncherWire.receiveOpened(from: control.raw, milliseconds: Self.patience)
        } catch {
            if error.number == ETIMEDOUT {
                whenStuck()
                // Nothing that it answers later belongs to a question.
                shutdown(control.raw, Int32(SHUT_RDWR))
            }
            throw error
        }
    }
}
