import Reactor
import RunModel
import Service
import Store
import Testing

@testable import Server

@Suite struct OutputCursorTests {
    private typealias Write = (stream: OutputStream, bytes: [UInt8])

    /// Creates a finished run with these writes, one second apart so that the order keeps them as separate pieces.
    private func run(_ writes: [Write], knowsOrder: Bool = true) -> StoredRun {
        var run = Run.finished()
        var order = StreamInterleaving()
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
        return StoredRun(run: run, principal: "", interleaving: order)
    }

    @ReactorActor
    private func parts(of run: StoredRun, from position: EventPosition = EventPosition()) throws -> [String] {
        let subscription = RunSubscription(finished: run)
        var cursor = OutputCursor(at: position)
        var parts: [String] = []
        while let part = try cursor.next(in: subscription) {
            parts.append("\(part.stream.rawValue) \(part.offset) " + String(decoding: part.bytes, as: UTF8.self))
        }
        #expect(cursor.isAtEnd(of: subscription))
        return parts
    }

    @Test func `parts have the order in which the run wrote them`() async throws {
        let run = run([
            (.standardOutput, Array("a".utf8)), (.standardError, Array("b".utf8)), (.standardError, Array("c".utf8)),
            (.standardOutput, Array("d".utf8)),
        ])
        #expect(try await parts(of: run) == ["stdout 0 a", "stderr 0 b", "stderr 1 c", "stdout 1 d"])
    }

    @Test func `output without a known order is returned one stream after the other`() async throws {
        let run = run([(.standardError, Array("b".utf8)), (.standardOutput, Array("a".utf8))], knowsOrder: false)
        #expect(try await parts(of: run) == ["stdout 0 a", "stderr 0 b"])
    }

    @Test func `reading continues at any position, including one past the end`() async throws {
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

    @Test func `an incomplete character waits for its end without delaying other output`() async throws {
        let euro = Array("€".utf8)
        let run = run([
            (.standardOutput, [0x61, euro[0]]), (.standardError, [0x62]), (.standardOutput, [euro[1]]),
            (.standardError, [0x63]), (.standardOutput, [euro[2], 0x64]),
        ])
        #expect(try await parts(of: run) == ["stdout 0 a", "stderr 0 b", "stderr 1 c", "stdout 1 €d"])
    }

    @Test func `an incomplete character at the end of the output is returned`() async throws {
        let run = run([(.standardOutput, [0x61, 0xE2, 0x82]), (.standardError, [0x62])])
        let parts = try await parts(of: run)
        #expect(parts.count == 2 || parts.count == 3)
        #expect(parts[0].hasPrefix("stdout 0 a"))
    }

    @Test func `a large piece is returned in parts of limited size, split between characters`() async throws {
        let text = "x" + String(repeating: "€", count: 20_000)
        let parts = try await parts(of: run([(.standardOutput, Array(text.utf8))]))
        #expect(parts.count > 3)
        let texts = parts.map { $0.split(separator: " ", maxSplits: 2).last.map(String.init) ?? "" }
        #expect(texts.joined() == text)
        #expect(texts.allSatisfy { $0.utf8.count <= OutputCursor.maximumBytes })
    }
}

@Suite struct EventPositionTests {
    @Test(arguments: ["0-0", "4096-12", "0-7-end", "9223372036854775807-1"])
    func `a position can be parsed from its text`(text: String) throws {
        #expect(try #require(EventPosition(text)).text == text)
    }

    @Test func `a position contains the offset in each stream`() throws {
        let position = try #require(EventPosition("4096-12"))
        #expect(position[.standardOutput] == 4096 && position[.standardError] == 12 && !position.isEnd)
        #expect(try #require(EventPosition("1-2-end")).isEnd)
    }

    @Test(arguments: [
        "", "-", "1", "1-", "-1", "1-2-", "1-2-3", "1-2-End", "1-2-end-end", "01-2", "1-00", "+1-2", "1--2", " 1-2",
        "1-2 ",
        "9223372036854775808-1", "a-b", "１-2",
    ])
    func `malformed text is rejected`(text: String) {
        #expect(EventPosition(text) == nil)
    }
}
