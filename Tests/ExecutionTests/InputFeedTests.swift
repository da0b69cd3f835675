import Glibc
import Reactor
import TestSupport
import Testing

@testable import Execution

@Suite(.timeLimit(.minutes(1))) @Reactor struct InputFeedTests {
    @Test(arguments: [1, 100, 65_536, 65_537, 1_000_000])
    func `all of it arrives, and then the end`(count: Int) async throws {
        let reading = try pipe()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let feed = try InputFeed(pipe: reading.takeWriteEnd(), bytes: bytes)
        #expect(try await reading.readToEnd() == bytes)
        feed.finish()
    }

    @Test func `the end comes without bytes too`() async throws {
        let reading = try pipe()
        let feed = try InputFeed(pipe: reading.takeWriteEnd(), bytes: [])
        #expect(try await reading.readToEnd() == [])
        feed.finish()
    }

    @Test func `what is not read is given up when the command is gone`() async throws {
        let reading = try pipe()
        let feed = try InputFeed(pipe: reading.takeWriteEnd(), bytes: [UInt8](repeating: 1, count: 1_000_000))
        feed.finish()
        feed.finish()
        #expect(try await reading.readToEnd().count == 65_536)
    }

    @Test func `a reader that goes away early ends it`() async {
        await #expect(processExitsWith: .success) {
            signal(SIGPIPE, SIG_IGN)
            try await feedSomebodyWhoGoesAway()
        }
    }

    /// A pipe of which the end to write to never blocks, and nor does the other, which the test reads.
    private func pipe() throws -> TestPipe {
        let pipe = try TestPipe(nonBlocking: .writing)
        _ = fcntl(pipe.reading, F_SETFL, O_NONBLOCK)
        return pipe
    }
}

@Reactor
private func feedSomebodyWhoGoesAway() async throws {
    let pipe = try TestPipe(nonBlocking: .writing)
    let other = dup(pipe.writing)
    let feed = try InputFeed(pipe: pipe.takeWriteEnd(), bytes: [UInt8](repeating: 1, count: 1_000_000))
    #expect(pipe.read(atMost: 10)?.count == 10)
    pipe.closeReadEnd()
    // The feed is woken first: it was there first.
    await withCheckedContinuation { continuation in
        var watch: Watch?
        watch = try? Reactor.watch(other, for: .writable) { _ in
            watch?.cancel()
            continuation.resume()
        }
    }
    feed.finish()
    close(other)
}
