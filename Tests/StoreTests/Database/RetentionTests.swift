import Glibc
import RunModel
import TestSupport
import Testing

@testable import Store

struct RetentionTests {
    /// Finishes runs one after the other and returns the runs and output files that remain.
    private func remaining(
        _ retention: Retention,
        _ runs: [Run],
        outputBytes: Int = 0
    ) async throws -> (ids: [RunID], files: [String]) {
        let directory = try ScratchDirectory()
        let store = try RunStore.open(directory, retention: retention)
        for run in runs {
            var run = run
            store.insert(run)
            if outputBytes > 0 {
                let recorder = store.recorder(for: run.id, .standardOutput)
                recorder.append(count: outputBytes)
                run.standardOutput = recorder.captured(totalBytes: outputBytes)
            }
            store.update(run.finished())
            // Waits for the commit before the next run, so that pruning happens after each run.
            _ = try await store.listed()
        }
        _ = try await store.listed()
        let ids = try await store.listed().map(\.id)
        let files = ScratchDirectory.names(in: directory.path + "/data/output")
        store.close()
        return (ids, files)
    }

    @Test func `the maximum number of finished runs removes the oldest`() async throws {
        let runs = (1...6).map { Run.make($0) }
        #expect(try await remaining(Retention(runs: 3), runs).ids == runs.suffix(3).reversed().map(\.id))
    }

    @Test func `the maximum of bytes removes the oldest runs and their output files`() async throws {
        let runs = (1...4).map { Run.make($0) }
        let kept = try await remaining(Retention(bytes: 25_000), runs, outputBytes: 10_000)
        #expect(kept.ids == runs.suffix(2).reversed().map(\.id))
        #expect(kept.files == runs.suffix(2).map { "\($0.id).stdout" })
    }

    @Test func `the newest run stays, whatever its size`() async throws {
        let run = Run.make(1)
        #expect(try await remaining(Retention(bytes: 1), [run], outputBytes: 9000).ids == [run.id])
    }

    @Test func `the maximum age removes older runs`() async throws {
        let now = Timestamp.now.millisecondsSince1970
        let runs = [Run.make(now - 120_000), Run.make(now)]
        #expect(try await remaining(Retention(seconds: 60), runs).ids == [runs[1].id])
    }

    @Test func `unfinished runs always stay`() async throws {
        let store = try RunStore.open(ScratchDirectory(), retention: Retention(runs: 1))
        let unfinished = (1...10).map { Run.make($0) }
        for run in unfinished { store.insert(run) }
        for number in 11...20 {
            let run = Run.make(Int64(number))
            store.insert(run)
            store.update(run.finished())
            _ = try await store.listed()
        }
        let ids = Set(try await store.listed().map(\.id))
        #expect(ids.isSuperset(of: unfinished.map(\.id)))
        store.close()
    }

    @Test func `the stored totals equal the sums of the rows`() async throws {
        let directory = try ScratchDirectory()
        let store = try RunStore.open(directory, retention: Retention(runs: 5))
        let runs = (1...20).map { Run.make($0) }
        for run in runs {
            store.insert(run)
            store.update(run.finished())
            _ = try await store.listed()
        }
        _ = try await store.deleted(runs[19].id)
        store.close()
        let connection = try SQLiteConnection(path: directory.path + "/data/sandglass.sqlite")
        try #expect(connection.number("SELECT runs FROM total") == connection.number("SELECT count(*) FROM run"))
        try #expect(connection.number("SELECT bytes FROM total") == connection.number("SELECT sum(bytes) FROM run"))
    }
}
