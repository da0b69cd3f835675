import Glibc
import Telemetry
import TestSupport
import Testing

@Suite struct LogOutputTests {
    /// Both ends of a pipe in blocking mode.
    private final class Pipe {
        let reading: Int32
        let writing: Int32

        init() throws {
            var ends: [Int32] = [-1, -1]
            try #require(pipe(&ends) == 0)
            (reading, writing) = (ends[0], ends[1])
        }

        deinit {
            close(reading)
            close(writing)
        }

        /// Reads a number of bytes.
        func take(_ count: Int) -> [UInt8] {
            var bytes: [UInt8] = []
            while bytes.count < count {
                let part = [UInt8](unsafeUninitializedCapacity: count - bytes.count) { buffer, filled in
                    filled = max(0, read(reading, buffer.baseAddress, buffer.count))
                }
                if part.isEmpty { break }
                bytes += part
            }
            return bytes
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `lines to a full pipe are dropped and counted without blocking`() throws {
        let pipe = try Pipe()
        let output = LogOutput(descriptor: pipe.writing)
        let line = Array(repeating: UInt8(ascii: "x"), count: 99) + [0x0A]
        for _ in 0..<10_000 { output.write(line) }
        let dropped = Int(output.droppedLines)
        #expect(dropped > 0)
        let written = 10_000 - dropped
        #expect(pipe.take(written * 100).split(separator: 0x0A).allSatisfy { $0.count == 99 })
        // The pipe has space again.
        output.write(line)
        #expect(Int(output.droppedLines) == dropped)
        #expect(pipe.take(100) == line)
    }

    @Test func `lines of several threads never mix`() async throws {
        let directory = try ScratchDirectory()
        let file = try directory.makeFile("log", "")
        let descriptor = open(file, O_WRONLY | O_APPEND | O_CLOEXEC)
        let output = LogOutput(descriptor: descriptor)
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<4 {
                let line = Array(repeating: UInt8(ascii: "a") + UInt8(thread), count: 1000) + [0x0A]
                group.addTask { for _ in 0..<500 { output.write(line) } }
            }
        }
        close(descriptor)
        let lines = (ScratchDirectory.contents(of: file) ?? []).split(separator: 0x0A)
        #expect(lines.count == 2000)
        #expect(lines.allSatisfy { line in line.count == 1000 && line.allSatisfy { $0 == line.first } })
        #expect(output.droppedLines == 0)
    }

    @Test func `a closed pipe drops lines and does not end the process`() throws {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        close(ends[0])
        let output = LogOutput(descriptor: ends[1])
        output.write([0x0A])
        #expect(output.droppedLines == 1)
        close(ends[1])
    }
}
