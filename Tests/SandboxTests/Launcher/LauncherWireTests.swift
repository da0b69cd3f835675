import CLauncher
import CLinux
import Glibc
import Reactor
import RunModel
import System
import Testing

@testable import Sandbox

@Suite struct LauncherWireTests {
    @Test func `a packet of an unknown size closes the connection`() throws {
        var ends: [Int32] = [-1, -1]
        try #require(sandglass_socket_pair(&ends) == 0)
        let near = Descriptor(owning: ends[0])
        let far = Descriptor(owning: ends[1])
        #expect(wouldBlock(LauncherWire.readSlotReport(from: near.raw)))
        #expect(write(far.raw, "short", 5) == 5)
        #expect(isClosed(LauncherWire.readSlotReport(from: near.raw)))
    }

    @Test func `a report of an unknown kind closes the connection`() throws {
        var ends: [Int32] = [-1, -1]
        try #require(sandglass_socket_pair(&ends) == 0)
        let near = Descriptor(owning: ends[0])
        let far = Descriptor(owning: ends[1])
        var report = sandglass_slot_report()
        report.kind = 99
        #expect(write(far.raw, &report, MemoryLayout.size(ofValue: report)) > 0)
        #expect(isClosed(LauncherWire.readSlotReport(from: near.raw)))
    }

    @Test func `the record of a command's end is read completely`() throws {
        var ends: [Int32] = [-1, -1]
        try #require(sandglass_socket_pair(&ends) == 0)
        let near = Descriptor(owning: ends[0])
        let far = Descriptor(owning: ends[1])
        var report = sandglass_slot_report()
        report.kind = SANDGLASS_SLOT_ENDED.rawValue
        report.wait_status = 0x0700
        report.signals_sent = SANDGLASS_SENT_KILL.rawValue | SANDGLASS_SENT_CPU_LIMIT_KILL.rawValue
        report.usage.oom_kills = 1
        (report.started_nanoseconds, report.ended_nanoseconds) = (5, 8)
        (report.usage.user_microseconds, report.usage.system_microseconds) = (UInt64.max, 2)
        report.usage.peak_bytes = .max
        report.usage.resident_bytes = 3
        report.usage.has_memory_at_end = 1
        (report.usage.cache_bytes, report.usage.shared_bytes, report.usage.kernel_bytes) = (6, 7, 9)
        #expect(write(far.raw, &report, MemoryLayout.size(ofValue: report)) > 0)
        guard case .report(.ended(let record)) = LauncherWire.readSlotReport(from: near.raw) else {
            Issue.record("no exit record was read")
            return
        }
        #expect(
            record
                == ExitRecord(
                    waitStatus: 0x0700,
                    wasTerminated: false,
                    wasKilled: true,
                    usedUpProcessorTime: true,
                    ranOutOfMemory: true,
                    startedAt: MonotonicTime(nanoseconds: 5),
                    endedAt: MonotonicTime(nanoseconds: 8),
                    user: .microseconds(Int64.max),
                    system: .microseconds(2),
                    peakMemoryBytes: .max,
                    maxResidentBytes: 3,
                    memoryAtEnd: MemoryAtEnd(cacheBytes: 6, sharedBytes: 7, kernelBytes: 9)
                )
        )
    }

    @Test func `a launcher that does not report in time, or has exited, is a failure`() throws {
        var ends: [Int32] = [-1, -1]
        try #require(sandglass_socket_pair(&ends) == 0)
        let near = Descriptor(owning: ends[0])
        do {
            let far = Descriptor(owning: ends[1])
            #expect(throws: SystemError("recvmsg", number: ETIMEDOUT)) {
                _ = try LauncherWire.receiveFirstReport(from: near.raw, milliseconds: 20)
            }
            _ = far.raw
        }
        #expect(throws: SystemError("recvmsg", number: EPIPE)) {
            _ = try LauncherWire.receiveFirstReport(from: near.raw, milliseconds: 20)
        }
        let failure = SetupFailure(step: .launcher, number: ETIMEDOUT)
        #expect(failure.description.contains("stopped, starved, or stuck"))
    }

    @Test func `the last report of a slot that left a request unread is still read`() throws {
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
            Issue.record("no exit record was read")
            return
        }
        #expect(isClosed(LauncherWire.readSlotReport(from: near.raw)))
    }

    private func isClosed(_ result: LauncherWire.ReadResult<SlotReport>) -> Bool {
        if case .closed = result { true } else { false }
    }

    private func wouldBlock(_ result: LauncherWire.ReadResult<SlotReport>) -> Bool {
        if case .wouldBlock = result { true } else { false }
    }
}
