internal import CLauncher
internal import CLinux
internal import Glibc
internal import Reactor
internal import RunModel
internal import System

/// The packets between this process, the launcher and the slots.
enum LauncherWire {
    /// A report of the launcher.
    enum LauncherReport {
        /// The launcher is ready, with these protections.
        ///
        /// It uses control groups of this version. Without a version, the failure tells why it uses none.
        case ready(cgroups: CgroupVersion?, SandboxProtections, SetupFailure?)
        case notReady(SetupFailure)
        /// A slot and all its processes have exited.
        ///
        /// A slot that could not be set up has a failure. A slot that the OOM killer ended has its resource usage.
        case gone(slot: UInt32, SetupFailure?, outOfMemory: SlotUsage?)
    }

    /// The result of a read from a non-blocking socket.
    enum ReadResult<Report> {
        case report(Report)
        case wouldBlock
        case closed
    }

    // MARK: Requests to the launcher

    static func sendSpawn(
        slot: UInt32,
        kind: SlotKind,
        control: Int32,
        to socket: Int32
    ) throws(SystemError) {
        var request = launcherRequest(SANDGLASS_LAUNCHER_SPAWN, slot)
        request.slot_kind.scratch_bytes = UInt64(kind.scratchBytes)
        request.slot_kind.image = UInt32(kind.image)
        request.slot_kind.cpu_quota_microseconds = UInt64(kind.cpuQuota)
        request.slot_kind.shares_network = kind.sharesNetwork ? 1 : 0
        try send(request, [control], to: socket)
    }

    static func sendKill(slot: UInt32, to socket: Int32) throws(SystemError) {
        try send(launcherRequest(SANDGLASS_LAUNCHER_KILL, slot), [], to: socket)
    }

    private static func launcherRequest(
        _ kind: sandglass_launcher_request_kind,
        _ slot: UInt32
    ) -> sandglass_launcher_request {
        sandglass_launcher_request(kind: kind.rawValue, slot: slot, slot_kind: sandglass_slot_kind())
    }

    // MARK: Requests to a slot

    /// Asks a slot to start a command.
    ///
    /// - Parameters:
    ///   - command: the bytes that ``SlotCommand/encoded(blobCount:)`` returns.
    ///   - hasFiles: whether the command has input files. It is then sent as a memfd, from which the kernel copies the
    ///     files.
    ///   - streams: three descriptors.
    ///   - socket: the slot's control socket.
    /// - Throws: the system call that failed, with its error number.
    static func sendStart(
        _ command: [UInt8],
        hasFiles: Bool,
        streams: [Int32],
        to socket: Int32
    ) throws(SystemError) {
        guard hasFiles || command.count > Int(SANDGLASS_START_BYTES) else {
            return try sendStart(packetWith: command, streams, to: socket)
        }
        let memory = sandglass_memfd("command")
        guard memory >= 0 else { throw SystemError("memfd_create") }
        let file = Descriptor(owning: memory)
        var done = 0
        while done < command.count {
            let written = command.withUnsafeBytes { bytes in
                write(file.raw, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            }
            guard written > 0 else { throw SystemError("write") }
            done += written
        }
        try sendStart(packetWith: [], streams + [file.raw], to: socket)
    }

    private static func sendStart(
        packetWith command: [UInt8],
        _ descriptors: [Int32],
        to socket: Int32
    ) throws(SystemError) {
        let header = (SANDGLASS_SLOT_START.rawValue, UInt32(command.count))
        var packet: [UInt8] = []
        packet.reserveCapacity(MemoryLayout.size(ofValue: header) + command.count)
        withUnsafeBytes(of: header) { packet += $0 }
        packet += command
        guard packet.withUnsafeBytes({ trySend($0, descriptors, to: socket) }) else { throw SystemError("sendmsg") }
    }

    /// The maximum number of blob descriptors in one packet.
    static let maximumBlobsPerPacket = Int(SANDGLASS_BLOBS_AT_ONCE)

    /// Sends descriptors of blobs that input files are copied from, after the start request.
    static func sendBlobs(_ blobs: [Int32], to socket: Int32) throws(SystemError) {
        try send(sandglass_slot_request(kind: SANDGLASS_SLOT_BLOBS.rawValue), blobs, to: socket)
    }

    static func sendTerminate(to socket: Int32) throws(SystemError) {
        try send(sandglass_slot_request(kind: SANDGLASS_SLOT_TERMINATE.rawValue), [], to: socket)
    }

    static func sendKill(to socket: Int32) throws(SystemError) {
        try send(sandglass_slot_request(kind: SANDGLASS_SLOT_KILL.rawValue), [], to: socket)
    }

    /// Asks a slot to open a file or directory that its run has left.
    ///
    /// The caller reads the response with ``receiveOpened(from:milliseconds:)``.
    ///
    /// - Parameters:
    ///   - name: the name of one directory entry; empty for `/box` itself.
    ///   - directory: a descriptor of the directory that holds the entry; `nil` for `/box` itself.
    ///   - isLink: whether the entry is a symbolic link, which is opened itself and not followed.
    ///   - socket: the slot's control socket.
    /// - Throws: `ENAMETOOLONG` for a name of more than 255 bytes, or the error of sendmsg(2).
    static func sendOpen(
        _ name: [UInt8],
        in directory: Int32?,
        isLink: Bool = false,
        to socket: Int32
    ) throws(SystemError) {
        var request = sandglass_open_request()
        request.kind = (isLink ? SANDGLASS_SLOT_OPEN_LINK : SANDGLASS_SLOT_OPEN).rawValue
        guard name.count < MemoryLayout.size(ofValue: request.name) else {
            throw SystemError("openat", number: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &request.name) { $0.copyBytes(from: name) }
        try send(request, directory.map { [$0] } ?? [], to: socket)
    }

    /// Waits for a slot's response to an open request.
    ///
    /// - Parameters:
    ///   - socket: the slot's control socket.
    ///   - milliseconds: the maximum time to wait.
    /// - Returns: the descriptor that the slot opened.
    /// - Throws: the slot's error number, `ETIMEDOUT` without a response in time, or `EPIPE` when the slot is gone.
    static func receiveOpened(from socket: Int32, milliseconds: Int32) throws(SystemError) -> Descriptor {
        var reply = sandglass_open_reply()
        var raw: Int32 = -1
        let size = MemoryLayout.size(ofValue: reply)
        let count = sandglass_receive_descriptor(socket, &reply, size, &raw, milliseconds)
        guard count != 0 else { throw SystemError("recvmsg", number: EPIPE) }
        guard count > 0 else { throw SystemError("recvmsg") }
        guard count == size, reply.error == 0 else {
            if raw >= 0 { close(raw) }
            throw SystemError("openat", number: count == size ? reply.error : EBADMSG)
        }
        // The kernel drops the descriptor when this process has reached its limit of open files.
        guard raw >= 0 else { throw SystemError("recvmsg", number: EMFILE) }
        return Descriptor(owning: raw)
    }

    // MARK: Reports

    static func readLauncherReport(from socket: Int32) -> ReadResult<LauncherReport> {
        var packet = sandglass_launcher_report()
        switch read(&packet, from: socket) {
        case .wouldBlock: return .wouldBlock
        case .closed: return .closed
        case .report: break
        }
        return launcherReport(packet)
    }

    /// Waits for the launcher's first report.
    ///
    /// - Parameters:
    ///   - socket: the launcher's socket.
    ///   - milliseconds: the maximum time to wait.
    /// - Returns: the report, and the descriptor of the root of the host's view; `nil` if the launcher could not open it.
    /// - Throws: `ETIMEDOUT` without a report in time, or `EPIPE` when the launcher has exited.
    static func receiveFirstReport(
        from socket: Int32,
        milliseconds: Int32
    ) throws(SystemError) -> (report: LauncherReport, view: Int32?) {
        var packet = sandglass_launcher_report()
        var raw: Int32 = -1
        let size = MemoryLayout.size(ofValue: packet)
        let count = sandglass_receive_descriptor(socket, &packet, size, &raw, milliseconds)
        if count < 0 { throw SystemError("recvmsg") }
        guard count == size, case .report(let report) = launcherReport(packet) else {
            if raw >= 0 { close(raw) }
            throw SystemError("recvmsg", number: EPIPE)
        }
        return (report, raw < 0 ? nil : raw)
    }

    private static func launcherReport(_ packet: sandglass_launcher_report) -> ReadResult<LauncherReport> {
        switch sandglass_launcher_report_kind(packet.kind) {
        case SANDGLASS_LAUNCHER_READY:
            let failure = failure(packet.failure)
            if let failure, failure.step != .controlGroup { return .report(.notReady(failure)) }
            let protections = SandboxProtections(rawValue: packet.protections)
            return .report(.ready(cgroups: CgroupVersion(rawValue: packet.cgroups), protections, failure))
        case SANDGLASS_LAUNCHER_GONE:
            let usage = packet.usage
            let outOfMemory = SlotUsage(
                user: .microseconds(Int64(clamping: usage.user_microseconds)),
                system: .microseconds(Int64(clamping: usage.system_microseconds)),
                peakMemoryBytes: Int(clamping: usage.peak_bytes),
                maxResidentBytes: Int(clamping: usage.resident_bytes),
                memoryAtEnd: memoryAtEnd(usage)
            )
            return .report(
                .gone(slot: packet.slot, failure(packet.failure), outOfMemory: usage.oom_kills > 0 ? outOfMemory : nil)
            )
        default: return .closed
        }
    }

    private static func memoryAtEnd(_ usage: sandglass_usage) -> MemoryAtEnd? {
        guard usage.has_memory_at_end != 0 else { return nil }
        return MemoryAtEnd(
            cacheBytes: Int(clamping: usage.cache_bytes),
            sharedBytes: Int(clamping: usage.shared_bytes),
            kernelBytes: Int(clamping: usage.kernel_bytes)
        )
    }

    static func readSlotReport(from socket: Int32) -> ReadResult<SlotReport> {
        var packet = sandglass_slot_report()
        switch read(&packet, from: socket) {
        case .wouldBlock: return .wouldBlock
        case .closed: return .closed
        case .report: break
        }
        switch sandglass_slot_report_kind(packet.kind) {
        case SANDGLASS_SLOT_STARTED:
            return .report(.started(at: MonotonicTime(nanoseconds: packet.started_nanoseconds)))
        case SANDGLASS_SLOT_FAILED:
            return .report(.failed(failure(packet.failure) ?? SetupFailure(step: .slot, number: EBADMSG)))
        case SANDGLASS_SLOT_ENDED:
            return .report(
                .ended(
                    ExitRecord(
                        waitStatus: packet.wait_status,
                        wasTerminated: packet.signals_sent & SANDGLASS_SENT_TERMINATE.rawValue != 0,
                        wasKilled: packet.signals_sent & SANDGLASS_SENT_KILL.rawValue != 0,
                        usedUpProcessorTime: packet.signals_sent & SANDGLASS_SENT_CPU_LIMIT_KILL.rawValue != 0,
                        ranOutOfMemory: packet.usage.oom_kills > 0,
                        startedAt: MonotonicTime(nanoseconds: packet.started_nanoseconds),
                        endedAt: MonotonicTime(nanoseconds: packet.ended_nanoseconds),
                        user: .microseconds(Int64(clamping: packet.usage.user_microseconds)),
                        system: .microseconds(Int64(clamping: packet.usage.system_microseconds)),
                        peakMemoryBytes: Int(clamping: packet.usage.peak_bytes),
                        maxResidentBytes: Int(clamping: packet.usage.resident_bytes),
                        memoryAtEnd: memoryAtEnd(packet.usage)
                    )
                )
            )
        default: return .closed
        }
    }

    // MARK: Packets

    private static func send(
        _ packet: some BitwiseCopyable,
        _ descriptors: [Int32],
        to socket: Int32
    ) throws(SystemError) {
        guard withUnsafeBytes(of: packet, { trySend($0, descriptors, to: socket) }) else {
            throw SystemError("sendmsg")
        }
    }

    private static func trySend(_ packet: UnsafeRawBufferPointer, _ descriptors: [Int32], to socket: Int32) -> Bool {
        sandglass_send(socket, packet.baseAddress, packet.count, descriptors, descriptors.count) == 0
    }

    private static func read(_ packet: inout some BitwiseCopyable, from socket: Int32) -> ReadResult<Void> {
        let size = MemoryLayout.size(ofValue: packet)
        let count = withUnsafeMutableBytes(of: &packet) { bytes in
            sandglass_receive_packet(socket, bytes.baseAddress, bytes.count)
        }
        if count == size { return .report(()) }
        if count < 0, errno == EAGAIN { return .wouldBlock }
        // The other side has closed the socket, the read failed, or the packet has a size that this protocol does not
        // know.
        return .closed
    }

    private static func failure(_ failure: sandglass_failure) -> SetupFailure? {
        guard let step = step(failure.step) else { return nil }
        return SetupFailure(
            step: step,
            index: failure.index < 0 ? nil : Int(failure.index),
            entry: failure.entry == 0 ? nil : Int(failure.entry),
            number: failure.error
        )
    }

    private static func step(_ number: UInt32) -> SetupStep? {
        switch sandglass_step(number) {
        case SANDGLASS_STEP_LAUNCHER_PROCESS: .launcherProcess
        case SANDGLASS_STEP_LAUNCHER_USER_NAMESPACE: .launcherUserNamespace
        case SANDGLASS_STEP_LAUNCHER_MOUNT_NAMESPACE: .launcherMountNamespace
        case SANDGLASS_STEP_ROOT: .root
        case SANDGLASS_STEP_ROOT_ENTRY: .rootEntry
        case SANDGLASS_STEP_PIVOT_ROOT: .pivotRoot
        case SANDGLASS_STEP_IMAGE: .image
        case SANDGLASS_STEP_CONTROL_GROUP: .controlGroup
        case SANDGLASS_STEP_NETWORK: .network
        case SANDGLASS_STEP_CLONE: .clone
        case SANDGLASS_STEP_HOST_NAME: .hostName
        case SANDGLASS_STEP_PROC: .proc
        case SANDGLASS_STEP_SCRATCH: .scratch
        case SANDGLASS_STEP_IDENTITY: .identity
        case SANDGLASS_STEP_USER_NAMESPACE: .userNamespace
        case SANDGLASS_STEP_ID_MAP: .idMap
        case SANDGLASS_STEP_CAPABILITIES: .capabilities
        case SANDGLASS_STEP_DEATH_SIGNAL: .deathSignal
        case SANDGLASS_STEP_LANDLOCK: .landlock
        case SANDGLASS_STEP_SIGNALS: .signals
        case SANDGLASS_STEP_SYSTEM_CALL_FILTER: .systemCallFilter
        case SANDGLASS_STEP_REQUEST: .request
        case SANDGLASS_STEP_FILES: .files
        case SANDGLASS_STEP_FORK: .fork
        case SANDGLASS_STEP_STANDARD_STREAMS: .standardStreams
        case SANDGLASS_STEP_LIMITS: .limits
        case SANDGLASS_STEP_WORKING_DIRECTORY: .workingDirectory
        case SANDGLASS_STEP_EXEC: .exec
        default: nil
        }
    }
}
