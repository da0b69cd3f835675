import Glibc
import Reactor
import TestSupport
import Testing

@testable import Execution

@Suite(.timeLimit(.minutes(1))) @ReactorActor struct OutputCaptureTests {
    /// A capture with its pipe and the bytes that it has passed on.
    @ReactorActor
    private final class Captured {
        let pipe: TestPipe
        var bytes: [UInt8] = []
        var backpressure = Backpressure.more
        var limitCalls = 0
        private var waiter: (count: Int, continuation: CheckedContinuation<Void, Never>)?
        private(set) var capture: OutputCapture?

        init(limit: Int) throws {
            pipe = try TestPipe(nonBlocking: .reading)
            capture = OutputCapture(
                pipe: pipe.takeReadEnd(),
                limit: limit,
                sink: { part in
                    self.bytes += part
                    self.wake()
                    return self.backpressure
                },
                onPassingLimit: { self.limitCalls += 1 }
            )
            try capture?.resume()
        }

        /// Waits until the capture has passed on this many bytes.
        func bytes(_ count: Int) async {
            if bytes.count >= count { return }
            await withCheckedContinuation { waiter = (count, $0) }
        }

        func finish() {
            capture?.finish()
        }

        var total: Int { capture?.totalBytes ?? -1 }

        private func wake() {
            guard let waiter, bytes.count >= waiter.count else { return }
            self.waiter = nil
            waiter.continuation.resume()
        }
    }

    @Test func `bytes are passed on while the stream is open`() async throws {
        let captured = try Captured(limit: 100)
        captured.pipe.write("hello ")
        await captured.bytes(6)
        captured.pipe.write("world")
        await captured.bytes(11)
        captured.finish()
        #expect(captured.bytes == Array("hello world".utf8))
        #expect(captured.total == 11)
        #expect(captured.limitCalls == 0)
    }

    @Test func `bytes in the pipe at the end are kept although a writer holds it open`() throws {
        let captured = try Captured(limit: 100)
        captured.pipe.write("last words")
        captured.finish()
        #expect(captured.bytes == Array("last words".utf8))
        #expect(captured.pipe.writing >= 0)
    }

    @Test(arguments: [(5, 5, 0), (6, 5, 1), (4, 4, 0), (0, 0, 0)])
    func `the limit is exact`(written: Int, kept: Int, limitCalls: Int) throws {
        let captured = try Captured(limit: 5)
        captured.pipe.write([UInt8](repeating: 7, count: written))
        captured.finish()
        #expect(captured.bytes.count == kept)
        #expect(captured.total == written)
        #expect(captured.limitCalls == limitCalls)
    }

    @Test func `bytes beyond the limit are counted and not passed on`() throws {
        let captured = try Captured(limit: 3)
        captured.pipe.write("abc")
        captured.pipe.write("defgh")
        captured.finish()
        #expect(captured.bytes == Array("abc".utf8))
        #expect(captured.total == 8)
        #expect(captured.limitCalls > 0)
    }

    @Test func `a limit of zero keeps nothing and counts everything`() throws {
        let captured = try Captured(limit: 0)
        captured.pipe.write("abc")
        captured.finish()
        #expect(captured.bytes == [])
        #expect(captured.total == 3)
        #expect(captured.limitCalls == 1)
    }

    @Test func `the rest of a paused stream is read at the end`() async throws {
        let captured = try Captured(limit: 100)
        captured.backpressure = .pause
        captured.pipe.write("one")
        await captured.bytes(3)
        captured.pipe.write("two")
        captured.finish()
        #expect(captured.bytes == Array("onetwo".utf8))
    }

    @Test func `a resumed stream continues`() async throws {
        let captured = try Captured(limit: 100)
        captured.backpressure = .pause
        captured.pipe.write("one")
        await captured.bytes(3)
        captured.pipe.write("two")
        captured.backpressure = .more
        try captured.capture?.resume()
        await captured.bytes(6)
        #expect(captured.bytes == Array("onetwo".utf8))
        captured.finish()
        try captured.capture?.resume()
    }

    @Test func `closing a stream closes the read end of its pipe`() async throws {
        let captured = try Captured(limit: 100)
        captured.backpressure = .close
        captured.pipe.write("one")
        await captured.bytes(3)
        #expect(captured.pipe.hasNoReader)
        captured.finish()
        #expect(captured.total == 3)
    }

    @Test func `the end of the stream closes it`() async throws {
        let captured = try Captured(limit: 100)
        captured.pipe.write("one")
        captured.pipe.closeWriteEnd()
        await captured.bytes(3)
        captured.finish()
        captured.finish()
        #expect(captured.bytes == Array("one".utf8))
    }

    // The kernel may refuse the larger size to an ordinary user whose pipes hold too much.
    @Test(.enabled(if: geteuid() == 0))
    func `some streams have a large pipe, and a busy one of the others gets a larger pipe`() async throws {
        func size(_ captured: Captured) -> Int32 { fcntl(captured.pipe.writing, getPipeSize, 0) }
        let captures = try (0..<33).map { _ in try Captured(limit: 1 << 20) }
        #expect(captures.dropLast().allSatisfy { size($0) == 1 << 20 })
        let last = try #require(captures.last)
        let before = size(last)
        #expect(before < 256 << 10)
        last.pipe.write([UInt8](repeating: 1, count: 60_000))
        await last.bytes(60_000)
        #expect(size(last) == 256 << 10)
        for captured in captures { captured.finish() }
        // A stream that ends makes room for another one.
        let next = try Captured(limit: 1)
        #expect(size(next) == 1 << 20)
        next.finish()
    }
}

/// F_GETPIPE_SZ (fcntl(2)), which glibc declares only with _GNU_SOURCE.
private let getPipeSize: Int32 = 1032
