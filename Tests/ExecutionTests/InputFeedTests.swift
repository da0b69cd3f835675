import CLinux
import Glibc
import Reactor
import TestSupport
import Testing

@testable import Execution

@Suite(.timeLimit(.minutes(1))) @ReactorActor struct InputFeedTests {
    @Test(arguments: [1, 100, 65_536, 65_537, 1_000_000])
    func `all bytes arrive, followed by the end`(count: Int) async throws {
        let reading = try pipe()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let feed = try InputFeed(pipe: reading.takeWriteEnd(), bytes: bytes)
        #expect(try await reading.readToEnd() == bytes)
        feed.finish()
    }

    @Test func `one turn of the reactor writes a part of the input, however much the pipe takes`() async throws {
        let reading = try pipe()
        try #require(sandglass_set_pipe_size(reading.writing, 1 << 20) >= 1 << 20)
        let bytes = [UInt8](repeating: 1, count: 1_000_000)
        let feed = try InputFeed(pipe: reading.takeWriteEnd(), bytes: bytes)
        #expect(reading.read(atMost: bytes.count)?.count == 256 << 10)
        // The rest follows in later turns.
        #expect(try await reading.readToEnd().count == bytes.count - (256 << 10))
        feed.finish()
    }

    @Test func `an empty input ends at once`() async throws {
        let reading = try pipe()
        let feed = try InputFeed(pipe: reading.takeWriteEnd(), bytes: [])
        #expect(try await reading.readToEnd() == [])
        feed.finish()
    }

    @Test func `unread input is dropped at the end of the command`() async throws {
        let reading = try pipe()
        let feed = try InputFeed(pipe: reading.takeWriteEnd(), bytes: [UInt8](repeating: 1, count: 1_000_000))
        feed.finish()
        feed.finish()
        #expect(try await reading.readToEnd().count == 65_536)
    }

    @Test func `a reader that closes early ends the feed`() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_IGN)
            try await feedReaderThatCloses()
        }
    }

    /// A pipe with two non-blocking ends, of which the test reads one.
    private func pipe() throws -> TestPipe {
        let pipe = try TestPipe(nonBlocking: .writing)
        _ = fcntl(pipe.reading, F_SETFL, O_NONBLOCK)
        return pipe
    }
}

@ReactorActor
private func feedReaderThatCloses() async throws {
    let pipe = try TestPipe(nonBlocking: .writing)
    let other = dup(pipe.writing)
    let feed = try InputFeed(pipe: pipe.takeWriteEnd(), bytes: [UInt8](repeating: 1, count: 1_000_000))
    #expect(pipe.read(atMost: 10)?.count == 10)
    pipe.closeReadEnd()
    // The feed wakes first because it was registered first.
    await withCheckedContinuation { continuation in
        var watch: Watch?
        watch = try? ReactorActor.watch(other, for: .writable) { _ in
            watch?.cancel()
            continuation.resume()
        }
    }
    feed.finish()
    close(other)
}
