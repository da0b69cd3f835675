internal import CLauncher
internal import CLinux
internal import Glibc
internal import Reactor

/// The packets between this process, the launcher and the slots.
enum LauncherWire {
    /// What the launcher says.
    enum LauncherReport {
        /// With these walls, and with control groups of this version, or with none and why not.
        case ready(cgroups: CgroupVersion?, SandboxWalls, SetupFailure?)
        case notReady(SetupFailure)
        /// Its slot is gone: because of this failure, or, if it was killed out of memory, with this use.
        case gone(slot: UInt32, SetupFailure?, outOfMemory: SlotUsage?)
    }

    /// What was read from a socket that never blocks.
    enum Reading<Report> {
        case report(Report)
        case nothingYet
        case end
    }

    // MARK: To the launcher

    static func sendSpawn(
        slot: UInt32,
        kind: SlotKind,
        control: Int32,
        to socket: Int32
    ) throws(SystemError) {
        var request = launcherRequest(SANDGLASS_LAUNCHER_SPAWN, slot)
        request.slot_kind.scratch_bytes = UInt64(kind.scratchBytes)
        request.slot_kind.image = UInt32(kind.image)
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

    // MARK: To a slot

    /// Starts a command.
    ///
    /// - Parameters:
    ///   - command: as ``encode(_:blobCount:)`` makes it.
    ///   - hasFiles: whether files are made of it: of a descriptor, the kernel copies them.
    ///   - streams: three descriptors.
    ///   - socket: the slot's.
    /// - Throws: which system call failed, and how.
    static func sendStart(
        _ command: [UInt8],
        hasFiles: Bool,
        streams: [Int32],
        to socket: Int32
    ) throws(SystemError) {
        guard hasFiles || command.count > Int(SANDGLASS_START_BYTES) else {
            return try sendStart(holding: command, streams, to: socket)
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
        try sendStart(holding: [], streams + [file.raw], to: socket)
    }

    private static func sendStart(
        holding command: [UInt8],
        _ descriptors: [Int32],
        to socket: Int32
    ) throws(SystemError) {
        let head = (SANDGLASS_SLOT_START.rawValue, UInt32(command.count))
        var packet: [UInt8] = []
        packet.reserveCapacity(MemoryLayout.size(ofValue: head) + command.count)
        withUnsafeBytes(of: head) { packet += $0 }
        packet += command
        guard packet.withUnsafeBytes({ sent($0, descriptors, to: socket) }) else { throw SystemError("sendmsg") }
    }

    /// How many descriptors one packet has.
    static let blobsAtOnce = Int(SANDGLASS_BLOBS_AT_ONCE)

    /// Sends what files are made of, behind the start.
    static func sendBlobs(_ blobs: [Int32], to socket: Int32) throws(SystemError) {
        try send(sandglass_slot_request(kind: SANDGLASS_SLOT_BLOBS.rawValue), blobs, to: socket)
    }

    static func sendTerminate(to socket: Int32) throws(SystemError) {
        try send(sandglass_slot_request(kind: SANDGLASS_SLOT_TERMINATE.rawValue), [], to: socket)
    }

    static func sendKill(to socket: Int32) throws(SystemError) {
        try send(sandglass_slot_request(kind: SANDGLASS_SLOT_KILL.rawValue), [], to: socket)
    }

    /// Has a slot open something of what its run has left; the answer is to be waited for.
    ///
    /// - Parameters:
    ///   - name: what to open, one name; empty: `/box`.
    ///   - folder: a descriptor of the folder that it is in; `nil`: none.
    ///   - socket: the slot's.
    /// - Throws: why it cannot be asked.
    static func sendOpen(_ name: [UInt8], in folder: Int32?, to socket: Int32) throws(SystemError) {
        var request = sandglass_open_request()
        request.kind = SANDGLASS_SLOT_OPEN.rawValue
        guard name.count < MemoryLayout.size(ofValue: request.name) else {
            throw SystemError("openat", number: ENAMETOOLONG)
        }
        withUnsafeMutableBytes(of: &request.name) { $0.copyBytes(from: name) }
        try send(request, folder.map { [$0] } ?? [], to: socket)
    }

    /// Waits for what a slot has opened.
    static func receiveOpened(from socket: Int32, milliseconds: Int32) throws(SystemError) -> Descriptor {
        var reply = sandglass_open_reply()
        var raw: Int32 = -1
        let size = MemoryLayout.size(ofValue: reply)
        let count = sandglass_receive_with(socket, &reply, size, &raw, milliseconds)
        guard count != 0 else { throw SystemError("recvmsg", number: EPIPE) }
        guard count > 0 else { throw SystemError("recvmsg") }
        guard count == size, reply.error == 0 else {
            if raw >= 0 { close(raw) }
            throw SystemError("openat", number: count == size ? reply.error : EBADMSG)
        }
        // There was no room for it here.
        guard raw >= 0 else { throw SystemError("recvmsg", number: EMFILE) }
        return Descriptor(owning: raw)
    }

    /// The command as a slot reads it: a header, the files' records, terminated strings, the files' bytes.
    static func encode(_ command: SlotCommand, blobCount: Int = 0) -> [UInt8] {
        var header = sandglass_command()
        header.argument_count = UInt32(command.arguments.count)
        header.environment_count = UInt32(command.environment.count)
        header.open_files = UInt64(command.openFiles)
        header.processes = UInt64(command.processes)
        header.memory_bytes = UInt64(command.memoryBytes)
        header.cpu_nanoseconds = nanoseconds(command.cpu)
        // What is over comes from the file system as ENOSPC, not from here as a signal.
        header.file_bytes = UInt64(command.diskBytes) + slackOfFiles
        header.file_count = UInt32(command.files.count)
        header.blob_count = UInt32(blobCount)
        header.keeps_files = command.keepsFiles ? 1 : 0
        var text: [UInt8] = []
        func append(_ string: String) {
            text += string.utf8
            text.append(0)
        }
        append(command.workingDirectory)
        append(command.environment["PATH"] ?? "")
        for argument in command.arguments { append(argument) }
        for (name, value) in command.environment { append(name + "=" + value) }
        for file in command.files { append(file.path) }
        let recordBytes = command.files.count * MemoryLayout<sandglass_file>.stride
        header.text_bytes = UInt64(MemoryLayout<sandglass_command>.size + recordBytes + text.count)
        var bytes = withUnsafeBytes(of: header) { Array($0) }
        var offset = header.text_bytes
        for file in command.files {
            let record = record(file, at: offset)
            if record.blob < 0 { offset += record.length }
            withUnsafeBytes(of: record) { bytes += $0 }
        }
        bytes += text
        for case .bytes(let contents) in command.files.map(\.source) { bytes += contents }
        return bytes
    }

    private static func record(_ file: SlotFile, at offset: UInt64) -> sandglass_file {
        let mode: UInt32 = file.isExecutable ? 0o755 : 0o644
        switch file.source {
        case .bytes(let contents):
            return sandglass_file(offset: offset, length: UInt64(contents.count), blob: -1, mode: mode)
        case .descriptor(let index, let count):
            return sandglass_file(offset: 0, length: UInt64(count), blob: Int32(index), mode: mode)
        }
    }

    private static let slackOfFiles: UInt64 = 1 << 20

    private static func nanoseconds(_ duration: Duration) -> UInt64 {
        // What is longer is no limit.
        let (seconds, attoseconds) = min(max(duration, .zero), .seconds(1 << 32)).components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }

    // MARK: From both

    static func readLauncherReport(from socket: Int32) -> Reading<LauncherReport> {
        var packet = sandglass_launcher_report()
        switch read(&packet, from: socket) {
        case .nothingYet: return .nothingYet
        case .end: return .end
        case .report: break
        }
        switch sandglass_launcher_report_kind(packet.kind) {
        case SANDGLASS_LAUNCHER_READY:
            let failure = failure(packet.failure)
            if let failure, failure.step != .controlGroup { return .report(.notReady(failure)) }
            let walls = SandboxWalls(rawValue: packet.walls)
            return .report(.ready(cgroups: CgroupVersion(rawValue: packet.cgroups), walls, failure))
        case SANDGLASS_LAUNCHER_GONE:
            let usage = packet.usage
            let outOfMemory = SlotUsage(
                user: .microseconds(Int64(clamping: usage.user_microseconds)),
                system: .microseconds(Int64(clamping: usage.system_microseconds)),
                peakMemoryBytes: Int(clamping: usage.peak_bytes)
            )
            return .report(
                .gone(slot: packet.slot, failure(packet.failure), outOfMemory: usage.oom_kills > 0 ? outOfMemory : nil)
            )
        default: return .end
        }
    }

    static func readSlotReport(from socket: Int32) -> Reading<SlotReport> {
        var packet = sandglass_slot_report()
        switch read(&packet, from: socket) {
        case .nothingYet: return .nothingYet
        case .end: return .end
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
                    CommandEnd(
                        waitStatus: packet.wait_status,
                        wasTerminated: packet.acts & SANDGLASS_ACT_TERMINATED.rawValue != 0,
                        wasKilled: packet.acts & SANDGLASS_ACT_KILLED.rawValue != 0,
                        usedUpProcessorTime: packet.acts & SANDGLASS_ACT_CPU_LIMIT.rawValue != 0,
                        ranOutOfMemory: packet.usage.oom_kills > 0,
                        startedAt: MonotonicTime(nanoseconds: packet.started_nanoseconds),
                        endedAt: MonotonicTime(nanoseconds: packet.ended_nanoseconds),
                        user: .microseconds(Int64(clamping: packet.usage.user_microseconds)),
                        system: .microseconds(Int64(clamping: packet.usage.system_microseconds)),
                        peakMemoryBytes: Int(clamping: packet.usage.peak_bytes)
                    )
                )
            )
        default: return .end
        }
    }

    // MARK: Packets

    private static func send(
        _ packet: some BitwiseCopyable,
        _ descriptors: [Int32],
        to socket: Int32
    ) throws(SystemError) {
        guard withUnsafeBytes(of: packet, { sent($0, descriptors, to: socket) }) else { throw SystemError("sendmsg") }
    }

    private static func sent(_ packet: UnsafeRawBufferPointer, _ descriptors: [Int32], to socket: Int32) -> Bool {
        sandglass_send(socket, packet.baseAddress, packet.count, descriptors, descriptors.count) == 0
    }

    private static func read(_ packet: inout some BitwiseCopyable, from socket: Int32) -> Reading<Void> {
        let size = MemoryLayout.size(ofValue: packet)
        let count = withUnsafeMutableBytes(of: &packet) { bytes in
            sandglass_receive_packet(socket, bytes.baseAddress, bytes.count)
        }
        if count == size { return .report(()) }
        if count < 0, errno == EAGAIN { return .nothingYet }
        // The end, an error, or a packet of another size: no partner that this process knows.
        return .end
    }

    private static func failure(_ failure: sandglass_failure) -> SetupFailure? {
        guard let step = step(failure.step) else { return nil }
        return SetupFailure(step: step, index: failure.index < 0 ? nil : Int(failure.index), number: failure.error)
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
