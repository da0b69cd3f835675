import Reactor
import Runs
import Service
import Store
import Testing

@testable import API

@Suite struct OutputCursorTests {
    private typealias Write = (stream: OutputStream, bytes: [UInt8])

    /// A finished run that wrote this, far enough apart in time to be told apart.
    private func run(_ writes: [Write], knowsOrder: Bool = true) -> StoredRun {
        var run = Run.finished()
        var order = OutputOrder()
        var bytes: [OutputStream: [UInt8]] = [:]
        for (index, write) in writes.enumerated() {
            bytes[write.stream, default: []] += write.bytes
            let time = Timestamp(millisecondsSince1970: Int64(index) * 1000)
            if knowsOrder { order.append(write.bytes.count, of: write.stream, at: time) }
        }
        func captured(_ stream: OutputStream) -> CapturedOutput {
            CapturedOutput(content: .bytes(bytes[stream] ?? []), totalBytes: bytes[stream]?.count ?? 0)
        }
        run.standardOutput = captured(.standardOutput)
        run.standardError = captured(.standardError)
        return StoredRun(run: run, principal: "", order: order)
    }

    @Reactor
    private func parts(of run: StoredRun, from position: EventPosition = EventPosition()) throws -> [String] {
        let followed = FollowedRun(finished: run)
        var cursor = OutputCursor(at: position)
        var parts: [String] = []
        while let part = try cursor.next(in: followed) {
            parts.append("\(part.stream.rawValue) \(part.offset) " + String(decoding: part.bytes, as: UTF8.self))
        }
        #expect(cursor.isAtEnd(of: followed))
        return parts
    }

    @Test func `both streams come in the order in which they were written`() async throws {
        let run = run([
            (.standardOutput, Array("a".utf8)), (.standardError, Array("b".utf8)), (.standardError, Array("c".utf8)),
            (.standardOutput, Array("d".utf8)),
        ])
        #expect(try await parts(of: run) == ["stdout 0 a", "stderr 0 b", "stderr 1 c", "stdout 1 d"])
    }

    @Test func `what is of unknown order comes one stream after the other`() async throws {
        let run = run([(.standardError, Array("b".utf8)), (.standardOutput, Array("a".utf8))], knowsOrder: false)
        #expect(try await parts(of: run) == ["stdout 0 a", "stderr 0 b"])
    }

    @Test func `it goes on where it is told to, also past the end`() async throws {
        let run = run([
            (.standardOutput, Array("abc".utf8)), (.standardError, Array("de".utf8)),
            (.standardOutput, Array("f".utf8)),
        ])
        #expect(
            try await parts(of: run, from: #require(EventPosition("2-1"))) == [
                "stdout 2 c", "stderr 1 e", "stdout 3 f",
            ]
        )
        #expect(try await parts(of: run, from: #require(EventPosition("99-99"))) == [])
    }

    @Test func `a character waits for its end, and other output does not wait for it`() async throws {
        let euro = Array("€".utf8)
        let run = run([
            (.standardOutput, [0x61, euro[0]]), (.standardError, [0x62]), (.standardOutput, [euro[1]]),
            (.standardError, [0x63]), (.standardOutput, [euro[2], 0x64]),
        ])
        #expect(try await parts(of: run) == ["stdout 0 a", "stderr 0 b", "stderr 1 c", "stdout 1 €d"])
    }

    @Test func `a character that never ends comes at the end`() async throws {
        let run = run([(.standardOutput, [0x61, 0xE2, 0x82]), (.standardError, [0x62])])
        let parts = try await parts(of: run)
        #expect(parts.count == 2 || parts.count == 3)
        #expect(parts[0].hasPrefix("stdout 0 a"))
    }

    @Test func `a large piece comes in parts of a bounded size, cut between characters`() async throws {
        let text = "x" + String(repeating: "€", count: 20_000)
        let parts = try await parts(of: run([(.standardOutput, Array(text.utf8))]))
        #expect(parts.count > 3)
        let texts = parts.map { $0.split(separator: " ", maxSplits: 2).last.map(String.init) ?? "" }
        #expect(texts.joined() == text)
        #expect(texts.allSatisfy { $0.utf8.count <= OutputCursor.mostBytes })
    }
}
