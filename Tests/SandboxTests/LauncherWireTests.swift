import CLauncher
import CLinux
import Glibc
import Reactor
import Testing

@testable import Sandbox

@Suite struct LauncherWireTests {
    @Test func `a command is a header and terminated strings`() {
        let command = SlotCommand(
            arguments: ["echo", "a b", ""],
            environment: ["PATH": "/bin"],
            workingDirectory: "/box",
            openFiles: 5,
            processes: 6,
            memoryBytes: 7,
            cpu: .milliseconds(1500),
            diskBytes: 8
        )
        let bytes = LauncherWire.encode(command)
        let header = bytes.withUnsafeBytes { $0.loadUnaligned(as: sandglass_command.self) }
        #expect(header.argument_count == 3)
        #expect(header.environment_count == 1)
        #expect(header.open_files == 5)
        #expect(header.processes == 6)
        #expect(header.memory_bytes == 7)
        #expect(header.cpu_nanoseconds == 1_500_000_000)
        #expect(header.file_bytes > 8)
        let text = String(decoding: bytes.dropFirst(MemoryLayout<sandglass_command>.size), as: UTF8.self)
        #expect(text == "/box\0/bin\0echo\0a b\0\0PATH=/bin\0")
    }

    @Test func `a packet of another size is the end of the conversation`() throws {
        var ends: [Int32] = [-1, -1]
        try #require(sandglass_socket_pair(&ends) == 0)
        let near = Descriptor(owning: ends[0])
        let far = Descriptor(owning: ends[1])
        #expect(isNothingYet(LauncherWire.readSlotReport(from: near.raw)))
        #expect(write(far.raw, "short", 5) == 5)
        #expect(isEnd(LauncherWire.readSlotReport(from: near.raw)))
    }

    @Test func `a report of an unknown kind is the end of the conversation`() throws {
        var ends: [Int32] = [-1, -1]
        try #require(sandglass_socket_pair(&ends) == 0)
        let near = Descriptor(owning: ends[0])
        let far = Descriptor(owning: ends[1])
        var report = sandglass_slot_report()
        report.kind = 99
        #expect(write(far.raw, &report, MemoryLayout.size(ofValue: report)) > 0)
        #expect(isEnd(LauncherWire.readSlotReport(from: near.raw)))
    }

    @Test func `an end is read with all that the slot knows`() throws {
        var ends: [Int32] = [-1, -1]
        try #require(sandglass_socket_pair(&ends) == 0)
        let near = Descriptor(owning: ends[0])
        let far = Descriptor(owning: ends[1])
        var report = sandglass_slot_report()
        report.kind = SANDGLASS_SLOT_ENDED.rawValue
        report.wait_status = 0x0700
        report.acts = SANDGLASS_ACT_KILLED.rawValue | SANDGLASS_ACT_CPU_LIMIT.rawValue
        report.usage.oom_kills = 1
        (report.started_nanoseconds, report.ended_nanoseconds) = (5, 8)
        (report.usage.user_microseconds, report.usage.system_microseconds) = (UInt64.max, 2)
        report.usage.peak_bytes = .max
        #expect(write(far.raw, &report, MemoryLayout.size(ofValue: report)) > 0)
        guard case .report(.ended(let end)) = LauncherWire.readSlotReport(from: near.raw) else {
            Issue.record("no end was read")
            return
        }
        #expect(
            end
                == CommandEnd(
                    waitStatus: 0x0700,
                    wasTerminated: false,
                    wasKilled: true,
                    usedUpProcessorTime: true,
                    ranOutOfMemory: true,
                    startedAt: MonotonicTime(nanoseconds: 5),
                    endedAt: MonotonicTime(nanoseconds: 8),
                    user: .microseconds(Int64.max),
                    system: .microseconds(2),
                    peakMemoryBytes: .max
                )
        )
    }

    @Test func `the last report of a slot that has not read what it was told is read all the same`() throws {
        var ends: [Int32] = [-1, -1]
        try #require(sandglass_socket_pair(&ends) == 0)
        let near = Descriptor(owning: ends[0])
        do {
            let far = Descriptor(owning: ends[1])
            try LauncherWire.sendKill(to: near.raw)
            var report = sandglass_slot_report()
            report.kind = SANDGLASS_SLOT_ENDED.rawValue
            #expect(write(far.raw, &report, MemoryLayout.size(ofValue: report)) > 0)
            _ = consume far
        }
        guard case .report(.ended) = LauncherWire.readSlotReport(from: near.raw) else {
            Issue.record("no end was read")
            return
        }
        #expect(isEnd(LauncherWire.readSlotReport(from: near.raw)))
    }

    private func isEnd(_ reading: LauncherWire.Reading<SlotReport>) -> Bool {
        if case .end = reading { true } else { false }
    }

    private func isNothingYet(_ reading: LauncherWire.Reading<SlotReport>) -> Bool {
        if case .nothingYet = reading { true } else { false }
    }
}
