import Glibc
import Reactor
import System
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) @ReactorActor struct WatchTests {
    @Test func `a watch reports every time that there is something to read`() async throws {
        let pipe = try TestPipe(nonBlocking: .reading)
        var parts: [[UInt8]] = []
        var watch: Watch?
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            do {
                watch = try ReactorActor.watch(pipe.reading, for: .readable) { _ in
                    if let part = pipe.read() { parts.append(part) }
                    if parts.count == 2 { return continuation.resume() }
                    pipe.write("second")
                }
                pipe.write("first")
            } catch {
                continuation.resume(throwing: error)
            }
        }
        watch?.cancel()
        #expect(parts == [Array("first".utf8), Array("second".utf8)])
    }

    @Test func `a watch cancelled by an earlier handler of the same batch is not called`() async throws {
        let pipes = try [TestPipe(nonBlocking: .reading), TestPipe(nonBlocking: .reading)]
        let batch = Batch()
        for pipe in pipes {
            try batch.watch(pipe.reading) {
                batch.calls += 1
                batch.cancelAll()
            }
            pipe.write("x")
        }
        await afterNextBatch()
        #expect(batch.calls == 1)
    }

    @Test func `an event is not reported to a new watch of the same descriptor number`() async throws {
        let pipes = try [TestPipe(nonBlocking: .reading), TestPipe(nonBlocking: .reading)]
        let empty = try TestPipe(nonBlocking: .reading)
        let (batch, fresh) = (Batch(), Batch())
        for (pipe, other) in zip(pipes, pipes.reversed()) {
            try batch.watch(pipe.reading) {
                batch.calls += 1
                batch.cancelAll()
                // The descriptor's number now belongs to an empty pipe.
                dup2(empty.reading, other.reading)
                try? fresh.watch(other.reading) { fresh.calls += 1 }
            }
            pipe.write("x")
        }
        await afterNextBatch()
        #expect(batch.calls == 1)
        #expect(fresh.watches.count == 1)
        #expect(fresh.calls == 0)
        fresh.cancelAll()
    }

    @Test func `a hang-up is reported to a watch that did not request it`() async throws {
        let pipe = try TestPipe(nonBlocking: .reading)
        var watch: Watch?
        let told: Interest = try await withCheckedThrowingContinuation { continuation in
            do {
                watch = try ReactorActor.watch(pipe.reading, for: .readable) { told in
                    watch?.cancel()
                    continuation.resume(returning: told)
                }
                pipe.closeWriteEnd()
            } catch {
                continuation.resume(throwing: error)
            }
        }
        #expect(!told.isDisjoint(with: .hangUp))
    }

    @Test func `a watch can change its interest`() async throws {
        let pipe = try TestPipe(nonBlocking: .writing)
        var calls = 0
        var watch: Watch?
        watch = try ReactorActor.watch(pipe.writing, for: .writable) { told in
            #expect(told.contains(.writable))
            calls += 1
            watch?.change(to: .readable)
        }
        await afterNextBatch()
        await afterNextBatch()
        #expect(calls == 1)
        watch?.change(to: .writable)
        await afterNextBatch()
        #expect(calls == 2)
        watch?.cancel()
        watch?.cancel()
        watch?.change(to: .writable)
        await afterNextBatch()
        #expect(calls == 2)
    }

    @Test func `a descriptor that cannot be watched is an error with the kernel's reason`() throws {
        let directory = try ScratchDirectory()
        let file = open(try directory.makeFile("regular", "text"), O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        #expect(throws: SystemError("epoll_ctl", number: EPERM)) {
            _ = try ReactorActor.watch(file, for: .readable) { _ in }
        }
        #expect(throws: SystemError("epoll_ctl", number: EBADF)) {
            _ = try ReactorActor.watch(-1, for: .readable) { _ in }
        }
    }

    /// Returns after the events that are ready now have been reported.
    ///
    /// A job of this thread runs before the loop looks for events. A pipe that is written to now is therefore in the
    /// next batch, and a job of its handler runs after that batch.
    private func afterNextBatch() async {
        guard let pipe = try? TestPipe(nonBlocking: .reading) else { return }
        var watch: Watch?
        await withCheckedContinuation { continuation in
            watch = try? ReactorActor.watch(pipe.reading, for: .readable) { _ in
                watch?.cancel()
                continuation.resume()
            }
            if watch == nil { continuation.resume() }
            pipe.write("x")
        }
    }
}

/// The watches of one test with a count of the calls of their handlers.
@ReactorActor
private final class Batch {
    var watches: [Watch] = []
    var calls = 0

    func watch(_ descriptor: Int32, handler: @escaping @ReactorActor () -> Void) throws(SystemError) {
        watches.append(try ReactorActor.watch(descriptor, for: .readable) { _ in handler() })
    }

    func cancelAll() {
        for watch in watches { watch.cancel() }
    }
}
