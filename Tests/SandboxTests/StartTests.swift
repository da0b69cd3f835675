import CLauncher
import Reactor
import TestSupport
import Testing

@testable import Sandbox

/// How a command reaches its slot.
@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct StartTests {
    /// A packet takes so many bytes of a command; longer ones go by a memfd.
    @Test(arguments: [-1, 0, 1, 100_000])
    func `a command of any length arrives whole`(difference: Int) async throws {
        func command(_ padding: String) -> SlotCommand { .make("sh", "-c", "exit $((${#0} % 251))", padding) }
        let length = Int(SANDGLASS_START_BYTES) + difference
        let padding = String(repeating: "x", count: length - LauncherWire.encode(command("")).count)
        #expect(LauncherWire.encode(command(padding)).count == length)
        try await withLauncher { launcher in
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            try slot.start(command(padding))
            #expect(try #require(await log.end()).waitStatus == Int32(padding.count % 251) << 8)
        }
    }

    @Test(arguments: [1, 118, 119, 120, 121, 200])
    func `a command has as many arguments as it is given`(count: Int) async throws {
        let arguments = ["sh", "-c", "exit $#", "sh"] + Array(repeating: "", count: count)
        let command = SlotCommand.make(words: arguments)
        #expect(LauncherWire.encode(command).count < Int(SANDGLASS_START_BYTES))
        try await withLauncher { launcher in
            let slot = try launcher.makeSlot()
            let log = ReportLog(slot)
            try slot.start(command)
            #expect(try #require(await log.end()).waitStatus == Int32(count) << 8)
        }
    }
}
