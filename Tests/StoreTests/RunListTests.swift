import Runs
import TestSupport
import Testing

@testable import Store

struct RunListTests {
    private func withRuns(_ body: (RunStore, [Run]) async throws -> Void) async throws {
        let store = try RunStore.open(ScratchFolder())
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

    @Test func `the newest come first`() async throws {
        try await withRuns { store, _ in
            try await #expect(numbers(store.listed()) == (1...10).reversed())
            try await #expect(numbers(store.listed(limit: 3)) == [10, 9, 8])
        }
    }

    @Test func `a page goes on where the one before it ended, although there are new runs`() async throws {
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
    func `a state picks those that are in it`(state: RunState, expected: [Int64]) async throws {
        try await withRuns { store, _ in
            var filter = RunFilter()
            filter.state = state
            try await #expect(numbers(store.listed(filter)) == expected)
        }
    }

    @Test func `outcome, label and owner pick those that have them`() async throws {
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
}
