internal import CLinux
internal import Glibc
public import Reactor

/// A slot: one sandbox, for one command.
///
/// It lives in the kernel as pid 1 of namespaces of its own and dies when this object's control socket is closed. Its
/// reports come in order, and the last of them is always a final one.
@Reactor
public final class Slot {
    private enum State {
        /// Reports are still to come.
        case open
        /// The final report has been given.
        case closed
    }

    private let launcher: Launcher
    private var control: Descriptor?
    /// The slot's own end of the control socket, until the launcher has it.
    private var farEnd: Descriptor?
    private var watch: Watch?
    private var state = State.open
    private var keepsFiles = false
    private var leftFiles: LeftFiles?

    /// Which of the launcher's slots it is, once it has its turn.
    var number: UInt32?

    /// Whether it still waits for another slot to go: there are as many as there may be.
    public var isWaiting: Bool { number == nil }

    /// Called for each report.
    public var onReport: (@Reactor (SlotReport) -> Void)?

    private let kind: SlotKind

    init(launcher: Launcher, kind: SlotKind) throws(SystemError) {
        self.launcher = launcher
        self.kind = kind
        var ends: [Int32] = [-1, -1]
        guard sandglass_socket_pair(&ends) == 0 else { throw SystemError("socketpair") }
        control = Descriptor(owning: ends[0])
        farEnd = Descriptor(owning: ends[1])
        watch = try Reactor.watch(ends[0], for: .readable) { [weak self] _ in self?.readReports() }
    }

    // MARK: Requests

    /// Says what to run.
    ///
    /// The descriptors become the command's 0, 1 and 2; the caller closes its own.
    ///
    /// - Parameters:
    ///   - command: what to run.
    ///   - streams: three descriptors.
    ///   - blobCount: how many descriptors its files name by their index. It waits until ``send(blobs:)`` has sent them all.
    /// - Throws: which system call failed, and how.
    public func start(_ command: SlotCommand, streams: [Int32], blobCount: Int = 0) throws(SystemError) {
        precondition(streams.count == 3, "a command has three standard streams")
        guard let socket = control?.raw else { return }
        keepsFiles = command.keepsFiles
        let bytes = LauncherWire.encode(command, blobCount: blobCount)
        try LauncherWire.sendStart(bytes, hasFiles: !command.files.isEmpty, streams: streams, to: socket)
    }

    /// How many descriptors are sent at once, but for the last ones.
    public static let blobsAtOnce = LauncherWire.blobsAtOnce

    /// Sends descriptors that files are made of, in their order; each is read from its start, whatever its offset is.
    ///
    /// - Parameter blobs: the next ``blobsAtOnce``, or the last ones; the caller closes its own.
    /// - Throws: which system call failed, and how.
    public func send(blobs: [Int32]) throws(SystemError) {
        guard let socket = control?.raw else { return }
        try LauncherWire.sendBlobs(blobs, to: socket)
    }

    /// Sends SIGTERM to everything in the slot, unless the command's end is already recorded.
    public func terminate() {
        guard let socket = control?.raw else { return }
        // A slot that cannot be told any more is ending, and its report follows.
        try? LauncherWire.sendTerminate(to: socket)
    }

    /// Sends SIGKILL to everything in the slot, unless the command's end is already recorded.
    public func kill() {
        guard let socket = control?.raw else { return }
        try? LauncherWire.sendKill(to: socket)
    }

    /// Kills the slot itself, from outside: for one that does not answer.
    ///
    /// Its command's end is not recorded then.
    public func destroy() {
        guard case .open = state else { return }
        launcher.kill(self)
    }

    /// What the run has left, if its command was one that keeps its files and has ended.
    ///
    /// To be taken while the report of that is being given: the sandbox goes when nobody has it any more.
    public func takeLeftFiles() -> LeftFiles? {
        defer { leftFiles = nil }
        return leftFiles
    }

    func sendSpawn(to socket: Int32) throws(SystemError) {
        guard let raw = farEnd?.raw, let number else { return }
        try LauncherWire.sendSpawn(slot: number, kind: kind, control: raw, to: socket)
        // From now on the slot alone has it, so that its end is seen here.
        farEnd = nil
    }

    // MARK: Reports

    private func readReports() {
        while let raw = control?.raw {
            switch LauncherWire.readSlotReport(from: raw) {
            case .report(let report):
                deliver(report)
            case .nothingYet:
                return
            case .end:
                // Its descriptors are closed, yet what it ran may still be dying: the launcher's word counts.
                closeControl()
                return
            }
        }
    }

    /// The launcher's word that the slot and everything in it are gone.
    func becameGone(_ failure: SetupFailure? = nil, outOfMemory: SlotUsage? = nil) {
        // What it said before its end may still be in the socket.
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
            if case .ended = report, keepsFiles { keepFiles() }
            closeControl()
        }
        handler?(report)
        leftFiles = nil
    }

    /// From now on its socket is the one of who takes the files.
    private func keepFiles() {
        guard let raw = control.take()?.release() else { return }
        leftFiles = LeftFiles(Descriptor(owning: raw)) { [weak self] in
            Task { @Reactor in
                guard let self else { return }
                self.launcher.kill(self)
            }
        }
    }

    private func closeControl() {
        watch?.cancel()
        watch = nil
        control = nil
        farEnd = nil
    }
}
