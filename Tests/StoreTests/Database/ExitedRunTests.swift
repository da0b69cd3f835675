import RunModel
import System
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

    @Test func `the newest exited run with a specification is found, also after a restart`()
        async throws
    {
        let directory = try ScratchDirectory()
        let first = try RunStore.open(directory)
        let specification = RunSpecification(command: ["cat"], standardInput: [1])
        let runs = (1...3).map { Run.make($0) }
        for run in runs {
            first.insert(run, specification, of: "")
            first.update(run.finished(.exited(code: 3)))
        }
        #expect(try await found(first, specification)?.id == runs[2].id)
        first.close()
        let second = try RunStore.open(directory)
        #expect(try await found(second, specification) == runs[2].finished(.exited(code: 3)))
        #expect(try await second.deleted(runs[2].id))
        #expect(try await found(second, specification)?.id == runs[1].id)
        second.close()
    }

    @Test func `runs that did not exit and runs of other principals are not found`() async throws {
        let store = try RunStore.open(ScratchDirectory())
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

    @Test func `the digest covers every part of a specification except labels and repeated defaults`() {
        let original = RunSpecification(command: ["a", "b"], environment: ["A": "1"], standardInput: [1])
        let changes: [(inout RunSpecification) -> Void] = [
            { $0.command = ["ab"] }, { $0.command = ["a", "b", ""] }, { $0.environment = ["A": "2"] },
            { $0.environment = [:] }, { $0.environment = ["A": "1", "PATH": "/bin"] }, { $0.workingDirectory = "/tmp" },
            { $0.standardInput = [2] }, { $0.standardInput = [] }, { $0.limits.timeout = .milliseconds(9999) },
            { $0.limits.cpu = .seconds(3) }, { $0.limits.memoryBytes += 1 }, { $0.limits.processes += 1 },
            { $0.limits.outputBytes += 1 }, { $0.limits.diskBytes += 1 }, { $0.limits.openFiles += 1 },
            { $0.grace = .seconds(1) }, { $0.onOutputLimit = .kill }, { $0.keepOutput = .tail },
            { $0.image = "python" }, { $0.network = .host },
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

    @Test func `the digest covers a TRACEPARENT variable but not the trace context of a request`() {
        let trace = TraceContext(
            parents: ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
            states: ["a=b"]
        )
        let plain = RunSpecification(command: ["true"])
        var traced = plain
        traced.trace = trace
        #expect(traced.digest == plain.digest)
        var own = plain
        own.environment["TRACEPARENT"] = trace?.parent
        #expect(own.digest != plain.digest)
    }

    @Test func `an index finds the newest exited run without sorting`() throws {
        let directory = try ScratchDirectory()
        try RunStore.open(directory).close()
        let connection = try SQLiteConnection(path: directory.path + "/data/sandglass.sqlite")
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

    @Test func `a finished run that is persisted several times counts once`() async throws {
        let directory = try ScratchDirectory()
        let store = try RunStore.open(directory)
        let run = Run.make(1)
        store.insert(run)
        store.update(run.finished())
        for _ in 0..<3 { #expect(await store.persisted(run.id) == nil) }
        store.close()
        let connection = try SQLiteConnection(path: directory.path + "/data/sandglass.sqlite")
        #expect(try connection.number("SELECT runs FROM total") == 1)
        try #expect(connection.number("SELECT bytes FROM total") == connection.number("SELECT sum(bytes) FROM run"))
    }
}
