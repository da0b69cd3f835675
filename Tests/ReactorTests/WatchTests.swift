import Glibc
import Reactor
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) @Reactor struct WatchTests {
    @Test func `a watch tells when there is something to read, again and again`() async throws {
        let pipe = try TestPipe(nonBlocking: .reading)
        var parts: [[UInt8]] = []
        var watch: Watch?
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            do {
                watch = try Reactor.watch(pipe.reading, for: .readable) { _ in
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

    @Test func `an event is not told to a new watch of the same descriptor`() async throws {
        let pipes = try [TestPipe(nonBlocking: .reading), TestPipe(nonBlocking: .reading)]
        let empty = try TestPipe(nonBlocking: .reading)
        let (batch, fresh) = (Batch(), Batch())
        for (pipe, other) in zip(pipes, pipes.reversed()) {
            try batch.watch(pipe.reading) {
                batch.calls += 1
                batch.cancelAll()
                // The other's number now belongs to a pipe that is empty.
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

    @Test func `a hang-up is told without being asked for`() async throws {
        let pipe = try TestPipe(nonBlocking: .reading)
        var watch: Watch?
        let told: Interest = try await withCheckedThrowingContinuation { continuation in
            do {
                watch = try Reactor.watch(pipe.reading, for: .readable) { told in
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

    @Test func `a watch can wait for something else`() async throws {
        let pipe = try TestPipe(nonBlocking: .writing)
        var calls = 0
        var watch: Watch?
        watch = try Reactor.watch(pipe.writing, for: .writable) { told in
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

    @Test func `what cannot be watched is an error with the kernel's answer`() throws {
        let folder = try ScratchFolder()
        let file = open(try folder.makeFile("regular", "text"), O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        #expect(throws: SystemError("epoll_ctl", number: EPERM)) {
            _ = try Reactor.watch(file, for: .readable) { _ in }
        }
        #expect(throws: SystemError("epoll_ctl", number: EBADF)) {
            _ = try Reactor.watch(-1, for: .readable) { _ in }
        }
    }

    /// Returns once everything that is ready now has been told: a job of this thread runs before the loop looks for
    /// events, a pipe that is written to now is in the next batch, and a job of its handler comes after that batch.
    private func afterNextBatch() async {
        guard let pipe = try? TestPipe(nonBlocking: .reading) else { return }
        var watch: Watch?
        await withCheckedContinuation { continuation in
            watch = try? Reactor.watch(pipe.reading, for: .readable) { _ in
                watch?.cancel()
                continuation.resume()
            }
            if watch == nil { continuation.resume() }
            pipe.write("x")
        }
    }
}

/// Watches of one test, and how often their handlers were called.
@Reactor
private final class Batch {
    var watches: [Watch] = []
    var calls = 0

    func watch(_ descriptor: Int32, handler: @escaping @Reactor () -> Void) throws(SystemError) {
        watches.append(try Reactor.watch(descriptor, for: .readable) { _ in handler() })
    }

    func cancelAll() {
        for watch in watches { watch.cancel() }
    }
}
