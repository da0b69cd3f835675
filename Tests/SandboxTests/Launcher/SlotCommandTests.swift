import CLauncher
import Reactor
import TestSupport
import Testing

@testable import Sandbox

/// The transfer of a command to its slot.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct SlotCommandTests {
    @Test func `an encoded command is a header and terminated strings`() {
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
        let bytes = command.encoded()
        let header = bytes.withUnsafeBytes { $0.loadUnaligned(as: sandglass_command.self) }
        #expect(header.argument_count == 3)
        #expect(header.environment_count == 1)
        #expect(header.open_files == 5)
        #expect(header.processes == 6)
        #expect(header.memory_bytes == 7)
        #expect(header.cpu_nanoseconds == 1_500_000_000)
        #expect(header.stack_bytes == 8 << 20)
        let text = String(decoding: bytes.dropFirst(MemoryLayout<sandglass_command>.size), as: UTF8.self)
        #expect(text == "/box\0/bin\0echo\0a b\0\0PATH=/bin\0")
    }

    /// Commands of up to SANDGLASS_START_BYTES go in a packet, longer ones in a memfd.
    @Test(arguments: [-1, 0, 1, 100_000])
    func `a command of any length arrives completely`(difference: Int) async throws {
        func command(_ padding: String) -> SlotCommand { .make("sh", "-c", "exit $((${#0} % 251))", padding) }
        let length = Int(SANDGLASS_START_BYTES) + difference
        let padding = String(repeating: "x", count: length - command("").encoded().count)
        #expect(command(padding).encoded().count == length)
        try await withLauncher { launcher in
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            try slot.start(command(padding))
            #expect(try #require(await log.end()).waitStatus == Int32(padding.count % 251) << 8)
        }
    }

    @Test(arguments: [1, 118, 119, 120, 121, 200])
    func `a command receives all its arguments`(count: Int) async throws {
        let arguments = ["sh", "-c", "exit $#", "sh"] + Array(repeating: "", count: count)
        let command = SlotCommand.make(words: arguments)
        #expect(command.encoded().count < Int(SANDGLASS_START_BYTES))
        try await withLauncher { launcher in
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            try slot.start(command)
            #expect(try #require(await log.end()).waitStatus == Int32(count) << 8)
        }
    }
}
