import Glibc
import Runs
import TestSupport
import Testing

@testable import Store

struct RunStoreTests {
    @Test func `what was put in comes out, and what was not does not`() async throws {
        let store = try RunStore.open(ScratchFolder())
        let run = Run.make(1)
        #expect(store.run(run.id) == nil)
        store.insert(run)
        #expect(store.run(run.id)?.run == run)
        #expect(try await store.found(Run.make(1).id) == nil)
        store.close()
    }

    @Test func `a finished run is there after a restart, whoever waited for it`() async throws {
        let folder = try ScratchFolder()
        let first = try RunStore.open(folder)
        var run = Run.make(1, RunSpecification(command: ["echo"], labels: ["a": "b"]))
        first.insert(run)
        run = run.finished()
        first.update(run)
        first.close()
        let second = try RunStore.open(folder)
        #expect(second.queued.isEmpty && second.lostCount == 0 && second.newest == run.id)
        #expect(second.run(run.id) == nil)
        #expect(try await second.found(run.id) == run)
        second.close()
    }

    @Test func `the order in which both streams were written is there after a restart`() async throws {
        let folder = try ScratchFolder()
        let first = try RunStore.open(folder)
        let run = Run.make(1)
        var order = OutputOrder()
        for (index, stream) in [OutputStream.standardError, .standardOutput, .standardError].enumerated() {
            order.append(index + 1, of: stream, at: Timestamp(millisecondsSince1970: Int64(index)))
        }
        first.insert(run)
        first.update(run.finished(), order: order)
        first.close()
        let second = try RunStore.open(folder)
        let found = try await withCheckedContinuation { continuation in
            second.find(run.id) { continuation.resume(returning: $0) }
        }.get()
        #expect(found?.order.pieces == order.pieces && order.pieces.map(\.length) == [1, 2, 3])
        second.close()
    }

    @Test func `what had not begun is given back in its order, with all that it takes to run it`() async throws {
        let folder = try ScratchFolder()
        let first = try RunStore.open(folder)
        let runs = (1...50).map { Run.make($0) }
        for run in runs {
            first.insert(run, RunSpecification(command: ["cat"], standardInput: [1, 2, 3]), of: "alice")
            #expect(await first.confirmed(run.id) == nil)
        }
        first.close()
        let second = try RunStore.open(folder)
        #expect(second.queued.map(\.run.run.id) == runs.map(\.id))
        #expect(second.queued.allSatisfy { $0.run.principal == "alice" && $0.request.standardInput == [1, 2, 3] })
        second.close()
    }

    @Test func `what had begun is lost, with what it had written`() async throws {
        let folder = try ScratchFolder()
        let first = try RunStore.open(folder)
        var run = Run.make(1)
        first.insert(run)
        run.becomeRunning()
        first.update(run)
        let recorder = first.recorder(for: run.id, .standardError)
        recorder.append(count: 10)
        recorder.flush()
        #expect(await first.confirmed(run.id) == nil)
        first.close()
        let second = try RunStore.open(folder)
        #expect(second.queued.isEmpty && second.lostCount == 1)
        let lost = try #require(try await second.found(run.id))
        #expect(lost.result?.outcome == .lost && lost.standardError.keptBytes == 10 && lost.standardOutput == .empty)
        second.close()
        let third = try RunStore.open(folder)
        #expect(third.lostCount == 0)
        third.close()
    }

    @Test func `a run that has begun does not begin again, although the database did not hear of it`() async throws {
        let folder = try ScratchFolder()
        let first = try RunStore.open(folder)
        let run = Run.make(1)
        first.insert(run)
        #expect(await first.confirmed(run.id) == nil)
        first.close()
        // As if the service had been killed between the begin of the run and the next commit.
        let table = try RunningTable(path: folder.path + "/data/running")
        table.insert(run.id)
        let second = try RunStore.open(folder)
        #expect(second.queued.isEmpty && second.lostCount == 1)
        second.close()
    }

    @Test func `names of runs always rise, also when the clock has stepped back`() throws {
        let folder = try ScratchFolder()
        let first = try RunStore.open(folder)
        let run = Run.make(2_000_000_000_000)
        first.insert(run)
        first.close()
        let second = try RunStore.open(folder)
        var ids = RunIDGenerator(after: second.newest)
        #expect(ids.next(now: Timestamp(millisecondsSince1970: 1)) > run.id)
        second.close()
    }

    @Test func `a run that is abandoned is not there after a restart`() async throws {
        let folder = try ScratchFolder()
        let store = try RunStore.open(folder)
        let run = Run.make(1)
        store.insert(run)
        store.abandon(run.id)
        #expect(store.run(run.id) == nil)
        store.close()
    }

    @Test func `a finished run can be forgotten, and its output with it`() async throws {
        let folder = try ScratchFolder()
        let store = try RunStore.open(folder)
        var run = Run.make(1)
        store.insert(run)
        #expect(try await store.forgot(run.id) == false)
        let recorder = store.recorder(for: run.id, .standardOutput)
        recorder.append(count: 9000)
        run.standardOutput = recorder.captured(totalBytes: 9000)
        store.insert(run)
        store.update(run.finished())
        #expect(ScratchFolder.names(in: folder.path + "/data/output") == ["\(run.id).stdout"])
        #expect(try await store.forgot(run.id))
        #expect(ScratchFolder.names(in: folder.path + "/data/output") == [])
        #expect(try await store.forgot(run.id) == false)
        #expect(try await store.found(run.id) == nil)
        store.close()
    }

    @Test func `output without a run is removed, that of a run is not`() async throws {
        let folder = try ScratchFolder()
        let first = try RunStore.open(folder)
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
        for name in ["\(strayID).stdout", "nonsense"] { try folder.makeFile("data/output/" + name, "x") }
        let second = try RunStore.open(folder)
        // Behind what was asked for before it.
        _ = try await second.listed()
        while ScratchFolder.names(in: folder.path + "/data/output").count > 1 { _ = try await second.listed() }
        #expect(ScratchFolder.names(in: folder.path + "/data/output") == ["\(old.id).stdout"])
        second.close()
    }

    @Test func `files are nobody else's to read`() throws {
        let folder = try ScratchFolder()
        let store = try RunStore.open(folder)
        for name in ["sandglass.sqlite", "sandglass.sqlite-wal", "running"] {
            var status = stat()
            #expect(stat(folder.path + "/data/" + name, &status) == 0 && status.st_mode & 0o077 == 0, "\(name)")
        }
        store.close()
    }

    @Test(.enabled(if: geteuid() == 0, "only root mounts a small file system"))
    func `a full disk refuses new runs, keeps the old ones, and takes new ones when there is room again`() async throws
    {
        try await withSmallDisk { folder in
            let store = try RunStore(DataDirectory(path: folder + "/data"))
            store.start()
            let before = Run.make(1)
            store.insert(before)
            #expect(await store.confirmed(before.id) == nil)
            fill(folder + "/filler")
            var refused: StoreError?
            for milliseconds in 2..<1000 where refused == nil {
                let run = Run.make(
                    Int64(milliseconds),
                    RunSpecification(command: [String(repeating: "x", count: 8192)])
                )
                store.insert(run)
                refused = await store.confirmed(run.id)
                if refused != nil { store.abandon(run.id) }
            }
            #expect(refused?.isOutOfSpace == true)
            #expect(try await store.found(before.id) == before)
            #expect(unlink(folder + "/filler") == 0)
            let after = Run.make(2000)
            store.insert(after)
            #expect(await store.confirmed(after.id) == nil)
            store.close()
            let second = try RunStore(DataDirectory(path: folder + "/data"))
            #expect(second.queued.first?.run.run.id == before.id && second.queued.last?.run.run.id == after.id)
            second.close()
        }
    }
}
