import Runs
import TestSupport
import Testing

@testable import Store

@Suite struct MemoryRunStoreTests {
    @Test func `what was put in comes out, and what was not does not`() throws {
        let store = try makeStore()
        let run = Run.make(1)
        #expect(store.run(run.id) == nil)
        store.insert(run)
        #expect(store.run(run.id) == run)
        #expect(store.run(Run.make(1).id) == nil)
        store.close()
    }

    @Test func `an update replaces what was known`() throws {
        let store = try makeStore()
        var run = Run.make(1)
        store.insert(run)
        run.becomeRunning()
        store.update(run)
        #expect(store.run(run.id)?.state == .running)
        store.close()
    }

    @Test func `of the finished runs the last so many are remembered`() throws {
        let store = try makeStore(keptRuns: 3)
        let runs = (0..<5).map { Run.make($0) }
        for run in runs { store.insert(run) }
        for run in runs { store.update(run.finished()) }
        #expect(runs.map { store.run($0.id) != nil } == [false, false, true, true, true])
        store.close()
    }

    @Test func `what came to its end first is forgotten first`() throws {
        let store = try makeStore(keptRuns: 2)
        let runs = (0..<3).map { Run.make($0) }
        for run in runs { store.insert(run) }
        for run in [runs[2], runs[0], runs[1]] { store.update(run.finished()) }
        #expect(runs.map { store.run($0.id) != nil } == [true, true, false])
        store.close()
    }

    @Test func `runs that are not finished are never forgotten`() throws {
        let store = try makeStore(keptRuns: 1)
        let waiting = (0..<10).map { Run.make($0) }
        for run in waiting { store.insert(run) }
        for index in 10..<20 {
            let run = Run.make(Int64(index))
            store.insert(run)
            store.update(run.finished())
        }
        #expect(waiting.allSatisfy { store.run($0.id) != nil })
        store.close()
    }

    @Test func `a second update of a finished run does not count it twice`() throws {
        let store = try makeStore(keptRuns: 2)
        let runs = (0..<2).map { Run.make($0) }
        for run in runs { store.insert(run) }
        for run in runs + runs { store.update(run.finished()) }
        #expect(runs.allSatisfy { store.run($0.id) != nil })
        store.close()
    }

    @Test func `output beyond what may be kept takes the oldest runs with it, and their files`() throws {
        let folder = try ScratchFolder()
        let store = MemoryRunStore(try DataDirectory(path: folder.path + "/data"), keptBytes: 25_000)
        var runs: [Run] = []
        for index in 0..<4 {
            var run = Run.make(Int64(index))
            store.insert(run)
            let recorder = store.recorder(for: run.id, .standardOutput)
            recorder.append(count: 10_000)
            run.standardOutput = recorder.captured(totalBytes: 10_000)
            runs.append(run)
            store.update(run.finished())
        }
        #expect(runs.map { store.run($0.id) != nil } == [false, false, true, true])
        #expect(ScratchFolder.names(in: folder.path + "/data/output") == runs.suffix(2).map { "\($0.id).stdout" })
        store.close()
    }

    @Test func `the last run is kept, however large`() throws {
        let store = try makeStore(keptBytes: 1)
        var run = Run.make(1)
        store.insert(run)
        run.standardError = CapturedOutput(content: .bytes([1, 2, 3]), totalBytes: 3)
        store.update(run.finished())
        #expect(store.run(run.id) != nil)
        store.close()
    }

    @Test func `the two streams of a run go to two files`() throws {
        let folder = try ScratchFolder()
        let store = MemoryRunStore(try DataDirectory(path: folder.path + "/data"))
        let id = Run.make(1).id
        for stream in OutputStream.allCases { store.recorder(for: id, stream).append(count: 9000) }
        #expect(ScratchFolder.names(in: folder.path + "/data/output") == ["\(id).stderr", "\(id).stdout"])
        store.close()
        #expect(ScratchFolder.names(in: folder.path + "/data") == ["lock"])
    }

    private func makeStore(keptRuns: Int = 100, keptBytes: Int = 1 << 30) throws -> MemoryRunStore {
        MemoryRunStore(try DataDirectory(temporaryIn: "/tmp"), keptRuns: keptRuns, keptBytes: keptBytes)
    }
}

extension Run {
    static func make(_ milliseconds: Int64) -> Run {
        var ids = RunIDGenerator()
        let time = Timestamp(millisecondsSince1970: milliseconds)
        return Run(
            id: ids.next(now: time),
            specification: RunSpecification(command: ["true"]),
            enforcement: .current,
            createdAt: time
        )
    }

    func finished() -> Run {
        var run = self
        guard state != .finished else { return self }
        run.finish(Run.Result(outcome: .exited(code: 0), usage: nil, finishedAt: createdAt))
        return run
    }
}
