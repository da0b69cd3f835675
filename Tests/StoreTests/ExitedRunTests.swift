import Digests
import Runs
import TestSupport
import Testing

@testable import Store

struct ExitedRunTests {
    private func found(
        _ store: RunStore,
        _ specification: RunSpecification,
        of principal: String = ""
    ) async throws
        -> Run?
    {
        try await withCheckedContinuation { continuation in
            store.findExited(specification.digest, of: principal) { continuation.resume(returning: $0) }
        }.get()?.run
    }

    @Test func `a run that exited is found by what it was asked to do, the newest first, across a restart`()
        async throws
    {
        let folder = try ScratchFolder()
        let first = try RunStore.open(folder)
        let specification = RunSpecification(command: ["cat"], standardInput: [1])
        let runs = (1...3).map { Run.make($0) }
        for run in runs {
            first.insert(run, specification, of: "")
            first.update(run.finished(.exited(code: 3)))
        }
        #expect(try await found(first, specification)?.id == runs[2].id)
        first.close()
        let second = try RunStore.open(folder)
        #expect(try await found(second, specification) == runs[2].finished(.exited(code: 3)))
        #expect(try await second.forgot(runs[2].id))
        #expect(try await found(second, specification)?.id == runs[1].id)
        second.close()
    }

    @Test func `one that has not exited, and another principal's, is not found`() async throws {
        let store = try RunStore.open(ScratchFolder())
        let specification = RunSpecification(command: ["cat"])
        let others: [Outcome] = [.timedOut(.exitCode(0)), .lost, .memoryLimit, .cancelled(nil)]
        for (number, outcome) in others.enumerated() {
            let run = Run.make(Int64(number + 1))
            store.insert(run, specification, of: "")
            store.update(run.finished(outcome))
        }
        let queued = Run.make(50)
        store.insert(queued, specification, of: "")
        let other = Run.make(51)
        store.insert(other, specification, of: "bob")
        store.update(other.finished())
        #expect(try await found(store, specification) == nil)
        #expect(try await found(store, specification, of: "bob")?.id == other.id)
        store.close()
    }

    @Test func `every part of a run makes it another, but for its labels and what is the same anyway`() {
        let original = RunSpecification(command: ["a", "b"], environment: ["A": "1"], standardInput: [1])
        let changes: [(inout RunSpecification) -> Void] = [
            { $0.command = ["ab"] }, { $0.command = ["a", "b", ""] }, { $0.environment = ["A": "2"] },
            { $0.environment = [:] }, { $0.environment = ["A": "1", "PATH": "/bin"] }, { $0.workingDirectory = "/tmp" },
            { $0.standardInput = [2] }, { $0.standardInput = [] }, { $0.limits.timeout = .milliseconds(9999) },
            { $0.limits.cpu = .seconds(3) }, { $0.limits.memoryBytes += 1 }, { $0.limits.processes += 1 },
            { $0.limits.outputBytes += 1 }, { $0.limits.diskBytes += 1 }, { $0.limits.openFiles += 1 },
            { $0.grace = .seconds(1) }, { $0.onOutputLimit = .kill }, { $0.image = "python" }, { $0.network = .host },
        ]
        let digests = changes.map { change in
            var changed = original
            change(&changed)
            return changed.digest
        }
        #expect(Set(digests + [original.digest]).count == changes.count + 1)
        var same = original
        same.labels = ["a": "b"]
        same.environment["HOME"] = "/box"
        #expect(same.digest == original.digest)
    }

    @Test func `a run that exited is looked up by an index, whose order is the rows' own`() throws {
        let folder = try ScratchFolder()
        try RunStore.open(folder).close()
        let connection = try SQLiteConnection(path: folder.path + "/data/sandglass.sqlite")
        let statement = try connection.prepare(
            """
            EXPLAIN QUERY PLAN SELECT id FROM run WHERE digest = ?1 AND outcome = 'exited' AND +principal = ?2
            ORDER BY sequence DESC LIMIT 1
            """
        )
        #expect(try statement.next())
        #expect(statement.text(3).contains("run_digest"))
        #expect(try !statement.next())
    }

    @Test func `a finished run that is confirmed again counts once`() async throws {
        let folder = try ScratchFolder()
        let store = try RunStore.open(folder)
        let run = Run.make(1)
        store.insert(run)
        store.update(run.finished())
        for _ in 0..<3 { #expect(await store.confirmed(run.id) == nil) }
        store.close()
        let connection = try SQLiteConnection(path: folder.path + "/data/sandglass.sqlite")
        #expect(try connection.number("SELECT runs FROM total") == 1)
        try #expect(connection.number("SELECT bytes FROM total") == connection.number("SELECT sum(bytes) FROM run"))
    }
}
