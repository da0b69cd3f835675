internal import CLauncher
internal import CLinux
internal import Glibc
internal import Reactor

/// The packets between this process, the launcher and the slots.
enum LauncherWire {
    /// What the launcher says.
    enum LauncherReport {
        case ready(SandboxWalls)
        case notReady(SetupFailure)
        case gone(slot: UInt32)
    }

    /// What was read from a socket that never blocks.
    enum Reading<Report> {
        case report(Report)
        case nothingYet
        case end
    }

    // MARK: To the launcher

    static func sendSpawn(slot: UInt32, control: Int32, to socket: Int32) throws(SystemError) {
        try send(launcherRequest(SANDGLASS_LAUNCHER_SPAWN, slot), [control], to: socket)
    }

    static func sendKill(slot: UInt32, to socket: Int32) throws(SystemError) {
        try send(launcherRequest(SANDGLASS_LAUNCHER_KILL, slot), [], to: socket)
    }

    private static func launcherRequest(
        _ kind: sandglass_launcher_request_kind,
        _ slot: UInt32
    ) -> sandglass_launcher_request {
        sandglass_launcher_request(kind: kind.rawValue, slot: slot)
    }

    // MARK: To a slot

    static func sendStart(command: Int32, streams: [Int32], to socket: Int32) throws(SystemError) {
        try send(sandglass_slot_request(kind: SANDGLASS_SLOT_START.rawValue), [command] + streams, to: socket)
    }

    static func sendTerminate(to socket: Int32) throws(SystemError) {
        try send(sandglass_slot_request(kind: SANDGLASS_SLOT_TERMINATE.rawValue), [], to: socket)
    }

    static func sendKill(to socket: Int32) throws(SystemError) {
        try send(sandglass_slot_request(kind: SANDGLASS_SLOT_KILL.rawValue), [], to: socket)
    }

    /// The command as the memfd holds it: a header, then terminated strings.
    static func encode(_ command: SlotCommand) -> [UInt8] {
        var header = sandglass_command()
        header.argument_count = UInt32(command.arguments.count)
        header.environment_count = UInt32(command.environment.count)
        header.open_files = UInt64(command.openFiles)
        header.processes = UInt64(command.processes)
        var bytes = withUnsafeBytes(of: header) { Array($0) }
        func append(_ text: String) {
            bytes += text.utf8
            bytes.append(0)
        }
        append(command.workingDirectory)
        append(command.environment["PATH"] ?? "")
        for argument in command.arguments { append(argument) }
        for (name, value) in command.environment { append(name + "=" + value) }
        return bytes
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
            return .report(
                failure(packet.failure).map { .notReady($0) } ?? .ready(SandboxWalls(rawValue: packet.walls))
            )
        case SANDGLASS_LAUNCHER_GONE: return .report(.gone(slot: packet.slot))
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
                        startedAt: MonotonicTime(nanoseconds: packet.started_nanoseconds),
                        endedAt: MonotonicTime(nanoseconds: packet.ended_nanoseconds),
                        user: .microseconds(Int64(clamping: packet.user_microseconds)),
                        system: .microseconds(Int64(clamping: packet.system_microseconds)),
                        peakResidentBytes: Int(clamping: packet.peak_resident_bytes)
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
        let result = withUnsafeBytes(of: packet) { bytes in
            sandglass_send(socket, bytes.baseAddress, bytes.count, descriptors, descriptors.count)
        }
        guard result == 0 else { throw SystemError("sendmsg") }
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
        case SANDGLASS_STEP_FORK: .fork
        case SANDGLASS_STEP_STANDARD_STREAMS: .standardStreams
        case SANDGLASS_STEP_LIMITS: .limits
        case SANDGLASS_STEP_WORKING_DIRECTORY: .workingDirectory
        case SANDGLASS_STEP_EXEC: .exec
        default: nil
        }
    }
}
