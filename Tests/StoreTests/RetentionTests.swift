import Glibc
import Runs
import TestSupport
import Testing

@testable import Store

struct RetentionTests {
    /// Finishes runs one after the other and gives those that are remembered in the end.
    private func remembered(
        _ retention: Retention,
        _ runs: [Run],
        outputBytes: Int = 0
    ) async throws -> (ids: [RunID], files: [String]) {
        let folder = try ScratchFolder()
        let store = try RunStore.open(folder, retention: retention)
        for run in runs {
            var run = run
            store.insert(run)
            if outputBytes > 0 {
                let recorder = store.recorder(for: run.id, .standardOutput)
                recorder.append(count: outputBytes)
                run.standardOutput = recorder.captured(totalBytes: outputBytes)
            }
            store.update(run.finished())
            // Written before the next one comes, and forgotten when it is written.
            _ = try await store.listed()
        }
        _ = try await store.listed()
        let ids = try await store.listed().map(\.id)
        let files = ScratchFolder.names(in: folder.path + "/data/output")
        store.close()
        return (ids, files)
    }

    @Test func `of the finished runs the last so many are remembered`() async throws {
        let runs = (1...6).map { Run.make($0) }
        #expect(try await remembered(Retention(runs: 3), runs).ids == runs.suffix(3).reversed().map(\.id))
    }

    @Test func `output beyond what may be kept takes the oldest runs with it, and their files`() async throws {
        let runs = (1...4).map { Run.make($0) }
        let kept = try await remembered(Retention(bytes: 25_000), runs, outputBytes: 10_000)
        #expect(kept.ids == runs.suffix(2).reversed().map(\.id))
        #expect(kept.files == runs.suffix(2).map { "\($0.id).stdout" })
    }

    @Test func `the last run is kept, however large`() async throws {
        let run = Run.make(1)
        #expect(try await remembered(Retention(bytes: 1), [run], outputBytes: 9000).ids == [run.id])
    }

    @Test func `what is too old is forgotten`() async throws {
        let now = Timestamp.now.millisecondsSince1970
        let runs = [Run.make(now - 120_000), Run.make(now)]
        #expect(try await remembered(Retention(seconds: 60), runs).ids == [runs[1].id])
    }

    @Test func `runs that are not finished are never forgotten`() async throws {
        let store = try RunStore.open(ScratchFolder(), retention: Retention(runs: 1))
        let waiting = (1...10).map { Run.make($0) }
        for run in waiting { store.insert(run) }
        for number in 11...20 {
            let run = Run.make(Int64(number))
            store.insert(run)
            store.update(run.finished())
            _ = try await store.listed()
        }
        let ids = Set(try await store.listed().map(\.id))
        #expect(ids.isSuperset(of: waiting.map(\.id)))
        store.close()
    }

    @Test func `the totals are those of the rows`() async throws {
        let folder = try ScratchFolder()
        let store = try RunStore.open(folder, retention: Retention(runs: 5))
        let runs = (1...20).map { Run.make($0) }
        for run in runs {
            store.insert(run)
            store.update(run.finished())
            _ = try await store.listed()
        }
        _ = try await store.forgot(runs[19].id)
        store.close()
        let connection = try SQLiteConnection(path: folder.path + "/data/sandglass.sqlite")
        try #expect(connection.number("SELECT runs FROM total") == connection.number("SELECT count(*) FROM run"))
        try #expect(connection.number("SELECT bytes FROM total") == connection.number("SELECT sum(bytes) FROM run"))
    }
}
