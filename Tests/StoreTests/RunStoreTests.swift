import Glibc
import RunModel
import TestSupport
import Testing

@testable import Store

struct RunStoreTests {
    @Test func `a run is found after its insertion and not before`() async throws {
        let store = try RunStore.open(ScratchDirectory())
        let run = Run.make(1)
        #expect(store.run(run.id) == nil)
        store.insert(run)
        #expect(store.run(run.id)?.run == run)
        #expect(try await store.found(Run.make(1).id) == nil)
        store.close()
    }

    @Test func `a finished run is found after a restart although no client waited for it`() async throws {
        let directory = try ScratchDirectory()
        let first = try RunStore.open(directory)
        var run = Run.make(1, RunSpecification(command: ["echo"], labels: ["a": "b"]))
        first.insert(run)
        run = run.finished()
        first.update(run)
        first.close()
        let second = try RunStore.open(directory)
        #expect(second.queued.isEmpty && second.lostCount == 0 && second.newest == run.id)
        #expect(second.run(run.id) == nil)
        #expect(try await second.found(run.id) == run)
        second.close()
    }

    @Test func `the interleaving of both streams is found after a restart`() async throws {
        let directory = try ScratchDirectory()
        let first = try RunStore.open(directory)
        let run = Run.make(1)
        var interleaving = StreamInterleaving()
        for (index, stream) in [OutputStream.standardError, .standardOutput, .standardError].enumerated() {
            interleaving.append(index + 1, of: stream, at: Timestamp(millisecondsSince1970: Int64(index)))
        }
        first.insert(run)
        first.update(run.finished(), interleaving: interleaving)
        first.close()
        let second = try RunStore.open(directory)
        let found = try await withCheckedContinuation { continuation in
            second.find(run.id) { continuation.resume(returning: $0) }
        }.get()
        #expect(found?.interleaving.pieces == interleaving.pieces && interleaving.pieces.map(\.length) == [1, 2, 3])
        second.close()
    }

    @Test func `queued runs are recovered in their order with their full specifications`() async throws {
        let directory = try ScratchDirectory()
        let first = try RunStore.open(directory)
        let runs = (1...50).map { Run.make($0) }
        for run in runs {
            first.insert(run, RunSpecification(command: ["cat"], standardInput: [1, 2, 3]), of: "alice")
            #expect(await first.persisted(run.id) == nil)
        }
        first.close()
        let second = try RunStore.open(directory)
        #expect(second.queued.map(\.run.run.id) == runs.map(\.id))
        #expect(second.queued.allSatisfy { $0.run.principal == "alice" && $0.request.standardInput == [1, 2, 3] })
        second.close()
    }

    @Test func `a started run is lost but keeps its output`() async throws {
        let directory = try ScratchDirectory()
        let first = try RunStore.open(directory)
        var run = Run.make(1)
        first.insert(run)
        first.prepareStart(run.id)
        run.commandStarted(at: Timestamp(millisecondsSince1970: 2))
        first.update(run)
        let recorder = first.recorder(for: run.id, .standardError)
        recorder.append(count: 10)
        recorder.flush()
        #expect(await first.persisted(run.id) == nil)
        first.close()
        let second = try RunStore.open(directory)
        #expect(second.queued.isEmpty && second.lostCount == 1)
        let lost = try #require(try await second.found(run.id))
        #expect(lost.result?.outcome == .lost && lost.standardError.keptBytes == 10 && lost.standardOutput == .empty)
        second.close()
        let third = try RunStore.open(directory)
        #expect(third.lostCount == 0)
        third.close()
    }

    @Test func `a started run does not start again although the database has it as queued`() async throws {
        let directory = try ScratchDirectory()
        let first = try RunStore.open(directory)
        let run = Run.make(1)
        first.insert(run)
        #expect(await first.persisted(run.id) == nil)
        first.close()
        // The journal gets the state of a server that was killed between the start of the run and the next commit.
        let journal = try StartJournal(path: directory.path + "/data/running")
        journal.insert(run.id)
        let second = try RunStore.open(directory)
        #expect(second.queued.isEmpty && second.lostCount == 1)
        second.close()
    }

    @Test func `run ids increase although the clock was set back`() throws {
        let directory = try ScratchDirectory()
        let first = try RunStore.open(directory)
        let run = Run.make(2_000_000_000_000)
        first.insert(run)
        first.close()
        let second = try RunStore.open(directory)
        var ids = RunIDGenerator(after: second.newest)
        #expect(ids.next(now: Timestamp(millisecondsSince1970: 1)) > run.id)
        second.close()
    }

    @Test func `a discarded run is not found`() async throws {
        let directory = try ScratchDirectory()
        let store = try RunStore.open(directory)
        let run = Run.make(1)
        store.insert(run)
        store.discard(run.id)
        #expect(store.run(run.id) == nil)
        store.close()
    }

    @Test func `deleting a finished run removes its output`() async throws {
        let directory = try ScratchDirectory()
        let store = try RunStore.open(directory)
        var run = Run.make(1)
        store.insert(run)
        #expect(try await store.deleted(run.id) == false)
        let recorder = store.recorder(for: run.id, .standardOutput)
        recorder.append(count: 9000)
        run.standardOutput = recorder.captured(totalBytes: 9000)
        store.insert(run)
        store.update(run.finished())
        #expect(ScratchDirectory.names(in: directory.path + "/data/output") == ["\(run.id).stdout"])
        #expect(try await store.deleted(run.id))
        #expect(ScratchDirectory.names(in: directory.path + "/data/output") == [])
        #expect(try await store.deleted(run.id) == false)
        #expect(try await store.found(run.id) == nil)
        store.close()
    }

    @Test func `output files without a run are removed and others stay`() async throws {
        let directory = try ScratchDirectory()
        let first = try RunStore.open(directory)
        var (old, new) = (Run.make(1), Run.make(3))
        for run in [old, new] { first.insert(run) }
        let recorder = first.recorder(for: old.id, .standardOutput)
        recorder.append(count: 9000)
        old.standardOutput = recorder.captured(totalBytes: 9000)
        first.update(old.finished())
        new = new.finished()
        first.update(new)
        first.close()
        let strayID = Run.make(2).id
        for name in ["\(strayID).stdout", "nonsense"] { try directory.makeFile("data/output/" + name, "x") }
        let second = try RunStore.open(directory)
        // The list follows the first batch of removals.
        _ = try await second.listed()
        while ScratchDirectory.names(in: directory.path + "/data/output").count > 1 { _ = try await second.listed() }
        #expect(ScratchDirectory.names(in: directory.path + "/data/output") == ["\(old.id).stdout"])
        second.close()
    }

    @Test func `other users cannot read the files`() throws {
        let directory = try ScratchDirectory()
        let store = try RunStore.open(directory)
        for name in ["sandglass.sqlite", "sandglass.sqlite-wal", "running"] {
            var status = stat()
            #expect(stat(directory.path + "/data/" + name, &status) == 0 && status.st_mode & 0o077 == 0, "\(name)")
        }
        store.close()
    }

    @Test(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
    func `a full disk refuses new runs, keeps old ones and accepts runs again once there is space`() async throws {
        try await withSmallDisk { directory in
            let store = try RunStore(DataDirectory(path: directory + "/data"))
            store.start()
            let before = Run.make(1)
            store.insert(before)
            #expect(await store.persisted(before.id) == nil)
            fill(directory + "/filler")
            var refused: StoreError?
            for milliseconds in 2..<1000 where refused == nil {
                let run = Run.make(
                    Int64(milliseconds),
                    RunSpecification(command: [String(repeating: "x", count: 8192)])
                )
                store.insert(run)
                refused = await store.persisted(run.id)
                if refused != nil { store.discard(run.id) }
            }
            #expect(refused?.isOutOfSpace == true)
            #expect(try await store.found(before.id) == before)
            #expect(unlink(directory + "/filler") == 0)
            let after = Run.make(2000)
            store.insert(after)
            #expect(await store.persisted(after.id) == nil)
            store.close()
            let second = try RunStore(DataDirectory(path: directory + "/data"))
            #expect(second.queued.first?.run.run.id == before.id && second.queued.last?.run.run.id == after.id)
            second.close()
        }
    }
}
