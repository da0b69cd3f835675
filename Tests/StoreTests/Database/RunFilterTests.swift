import RunModel
import TestSupport
import Testing

@testable import Store

struct RunFilterTests {
    private func withRuns(_ body: (RunStore, [Run]) async throws -> Void) async throws {
        let store = try RunStore.open(ScratchDirectory())
        let runs = (1...10).map { number in
            Run.make(
                Int64(number),
                RunSpecification(command: ["true"], labels: number % 2 == 0 ? ["kind": "even"] : [:])
            )
        }
        for run in runs { store.insert(run) }
        for (index, run) in runs.enumerated() where index < 6 {
            store.update(run.finished(index % 3 == 0 ? .memoryLimit : .exited(code: 0)))
        }
        try await body(store, runs)
        store.close()
    }

    private func numbers(_ runs: [Run]) -> [Int64] { runs.map(\.createdAt.millisecondsSince1970) }

    @Test func `the newest runs come first`() async throws {
        try await withRuns { store, _ in
            try await #expect(numbers(store.listed()) == (1...10).reversed())
            try await #expect(numbers(store.listed(limit: 3)) == [10, 9, 8])
        }
    }

    @Test func `a page continues after the previous one although there are new runs`() async throws {
        try await withRuns { store, runs in
            var filter = RunFilter()
            filter.before = runs[7].id
            store.insert(.make(11))
            try await #expect(numbers(store.listed(filter, limit: 2)) == [7, 6])
        }
    }

    @Test(
        arguments: [(RunState.queued, [10, 9, 8, 7]), (.running, []), (.finished, [6, 5, 4, 3, 2, 1])]
            as [(RunState, [Int64])]
    )
    func `a state selects the runs in that state`(state: RunState, expected: [Int64]) async throws {
        try await withRuns { store, _ in
            var filter = RunFilter()
            filter.state = state
            try await #expect(numbers(store.listed(filter)) == expected)
        }
    }

    @Test func `a command is found by its beginning, cut between characters`() {
        #expect(RunFilter.searchText(of: ["a", "", "b c"]) == "a  b c")
        #expect(RunFilter.searchText(of: ["é"]) == "é")
        let longest = RunFilter.longestCommand
        #expect(RunFilter.searchText(of: [String(repeating: "x", count: 300)]).utf8.count == longest)
        #expect(RunFilter.searchText(of: [String(repeating: "x", count: longest - 1) + "é"]).utf8.count == longest - 1)
        #expect(RunFilter.searchText(of: [String(repeating: "x", count: longest), "y"]).utf8.count == longest)
    }

    @Test func `outcome, label and owner select the runs that have them`() async throws {
        try await withRuns { store, _ in
            var filter = RunFilter()
            filter.outcome = "memory_limit"
            try await #expect(numbers(store.listed(filter)) == [4, 1])
            filter.label = RunFilter.Label(key: "kind", value: "even")
            try await #expect(numbers(store.listed(filter)) == [4])
            filter.outcome = nil
            try await #expect(numbers(store.listed(filter)) == [10, 8, 6, 4, 2])
            filter.principal = "nobody"
            #expect(try await store.listed(filter).isEmpty)
            filter.label = RunFilter.Label(key: "kind", value: "odd")
            filter.principal = ""
            #expect(try await store.listed(filter).isEmpty)
        }
    }

    /// Inserts finished runs directly; the connection is closed before this returns.
    private func insert(_ count: Int, into path: String) throws {
        let statement = try SQLiteConnection(path: path).prepare(
            """
            WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < \(count))
            INSERT INTO run (id, principal, state, outcome, finished, bytes, record)
            SELECT CAST(printf('%016d', n) AS BLOB), '', 2, iif(n % 1000 = 0, 'memory_limit', 'exited'), n, 1, ?1 FROM number
            """
        )
        try statement.run([.bytes(Run.make(1).finished().record)])
    }

    @Test func `a page of 100,000 runs costs the same everywhere, and every run is listed once`() async throws {
        let directory = try ScratchDirectory()
        try RunStore.open(directory).close()
        let path = directory.path + "/data/sandglass.sqlite"
        let count = 100_000
        try insert(count, into: path)
        let database = try RunDatabase(
            path: path,
            outputPath: directory.path,
            durability: .normal,
            retention: Retention()
        )
        var filter = RunFilter()
        var ids: [RunID] = []
        var steps: Set<Int> = []
        repeat {
            let page = try database.page(filter, limit: 1000)
            filter.before = page.last?.run.id
            ids += page.map(\.run.id)
            if page.count == 1000 { steps.insert(database.stepsOfLastPage / 100) }
            if page.isEmpty { break }
        } while true
        #expect(ids.count == count && Set(ids).count == count && ids == ids.sorted(by: >))
        // The first page takes fewer steps, because it has no cursor.
        #expect(steps.count <= 2, "\(steps)")
        filter.before = nil
        filter.outcome = "memory_limit"
        #expect(try database.page(filter, limit: 100).count == 100)
        #expect(database.stepsOfLastPage < 10_000, "\(database.stepsOfLastPage)")
    }
}
