internal import CLinux
internal import Glibc
package import Reactor
package import System

/// The properties of a slot that must be known before it is created, because they need privilege.
struct SlotKind: Sendable, Hashable {
    /// The size of the slot's writable file system in bytes.
    let scratchBytes: Int
    /// The number of the image that the slot shows, counted from 1; 0 for the host's view.
    var image = 0
    /// A Boolean value that indicates whether the slot uses the host's network.
    var sharesNetwork = false
    /// The processor time in microseconds that the slot may use in each 100 ms; 0 for no limit.
    var cpuQuota = 0
}

/// A slot: one sandbox, for one command.
///
/// In the kernel a slot is pid 1 of its own namespaces. It dies when this object's control socket is closed. Its
/// reports come in order, and the last one is always a final report.
@ReactorActor
package final class Slot {
    private enum State {
        /// The final report has not been delivered.
        case open
        /// The final report has been delivered.
        case closed
    }

    private let launcher: Launcher
    private let kind: SlotKind
    private var control: Descriptor?
    /// The slot's end of the control socket, until the launcher has received it.
    private var slotEnd: Descriptor?
    private var watch: Watch?
    private var state = State.open
    private var keepsFiles = false
    private var files: SandboxFiles?

    /// The slot's number in the launcher, or `nil` while the slot waits for a free number.
    var number: UInt32?

    /// A Boolean value that indicates whether the slot waits for another one to exit.
    ///
    /// It waits while the maximum number of slots exists.
    package var isWaiting: Bool { number == nil }

    /// Called for each report.
    package var onReport: (@ReactorActor (SlotReport) -> Void)?

    init(launcher: Launcher, kind: SlotKind) throws(SystemError) {
        self.launcher = launcher
        self.kind = kind
        var ends: [Int32] = [-1, -1]
        guard sandglass_socket_pair(&ends) == 0 else { throw SystemError("socketpair") }
        control = Descriptor(owning: ends[0])
        slotEnd = Descriptor(owning: ends[1])
        watch = try ReactorActor.watch(ends[0], for: .readable) { [weak self] _ in self?.readReports() }
    }

    // MARK: Requests

    /// Starts a command.
    ///
    /// The three streams become the command's descriptors 0, 1 and 2. The caller closes its own copies.
    ///
    /// - Parameters:
    ///   - command: the command.
    ///   - streams: three descriptors.
    ///   - blobCount: the number of descriptors that the command's files refer to by index. The slot starts the command
    ///     once ``send(blobs:)`` has sent all of them.
    /// - Throws: the system call that failed, with its error number.
    package func start(_ command: SlotCommand, streams: [Int32], blobCount: Int = 0) throws(SystemError) {
        precondition(streams.count == 3, "a command has three standard streams")
        guard let socket = control?.raw else { return }
        keepsFiles = command.keepsFiles
        let bytes = command.encoded(blobCount: blobCount)
        try LauncherWire.sendStart(bytes, hasFiles: !command.files.isEmpty, streams: streams, to: socket)
    }

    /// The number of descriptors in each call of ``send(blobs:)`` but the last.
    package static let maximumBlobsPerPacket = LauncherWire.maximumBlobsPerPacket

    /// Sends the next descriptors that files are copied from.
    ///
    /// The slot reads each from its start, whatever its offset is.
    ///
    /// - Parameter blobs: the next ``maximumBlobsPerPacket`` descriptors, or the last ones. The caller closes its own
    ///   copies.
    /// - Throws: the system call that failed, with its error number.
    package func send(blobs: [Int32]) throws(SystemError) {
        guard let socket = control?.raw else { return }
        try LauncherWire.sendBlobs(blobs, to: socket)
    }

    /// Sends SIGTERM to everything in the slot, unless the command's end is already recorded.
    package func terminate() {
        guard let socket = control?.raw else { return }
        // When the send fails, the slot is ending and its final report follows.
        try? LauncherWire.sendTerminate(to: socket)
    }

    /// Sends SIGKILL to everything in the slot, unless the command's end is already recorded.
    package func kill() {
        guard let socket = control?.raw else { return }
        // When the send fails, the slot is ending and its final report follows.
        try? LauncherWire.sendKill(to: socket)
    }

    /// Kills the slot itself from outside, for a slot that does not respond.
    ///
    /// The end of its command is then not recorded.
    package func destroy() {
        guard case .open = state else { return }
        launcher.kill(self)
    }

    /// Returns the files that the run has left, if its command keeps its files and has ended.
    ///
    /// Call this method only while ``onReport`` handles the final report. The sandbox ends when the returned object is
    /// released. Without this call it ends right after the report.
    package func takeFiles() -> SandboxFiles? {
        defer { files = nil }
        return files
    }

    /// Sends the launcher the request to create this slot, with the slot's end of the control socket.
    func sendSpawn(to socket: Int32) throws(SystemError) {
        guard let raw = slotEnd?.raw, let number else { return }
        try LauncherWire.sendSpawn(slot: number, kind: kind, control: raw, to: socket)
        // From now on only the slot has this end open, so the control socket closes when the slot exits.
        slotEnd = nil
    }

    // MARK: Reports

    private func readReports() {
        while let raw = control?.raw {
            switch LauncherWire.readSlotReport(from: raw) {
            case .report(let report):
                deliver(report)
            case .wouldBlock:
                return
            case .closed:
                // The slot has closed its descriptors, but its processes may still be dying. The launcher reports their
                // exit.
                closeControl()
                return
            }
        }
    }

    /// Handles the launcher's report that the slot and all its processes are gone.
    func handleExit(_ failure: SetupFailure? = nil, outOfMemory: SlotUsage? = nil) {
        // The socket may still hold reports that the slot sent before it exited.
        readReports()
        deliver(outOfMemory.map { .outOfMemory($0) } ?? failure.map { .failed($0) } ?? .vanished)
    }

    private func deliver(_ report: SlotReport) {
        guard case .open = state else { return }
        let handler = onReport
        switch report {
        case .started: break
        case .ended, .failed, .outOfMemory, .vanished:
            state = .closed
            onReport = nil
            if case .ended = report, keepsFiles { transferControlToFiles() }
            closeControl()
        }
        handler?(report)
        files = nil
    }

    /// Hands the control socket over to the object that opens the run's files.
    private func transferControlToFiles() {
        guard let raw = control.take()?.release() else { return }
        files = SandboxFiles(Descriptor(owning: raw)) { [weak self] in
            Task { @ReactorActor in
                guard let self else { return }
                self.launcher.kill(self)
            }
        }
    }

    private func closeControl() {
        watch?.cancel()
        watch = nil
        control = nil
        slotEnd = nil
    }
}

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
