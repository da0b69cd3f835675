import Glibc
import Testing

/// More runs than may run at once: they wait in order, and their time does not.
struct QueueTests {
    @Test func `runs start in the order in which they came, one at a time`() throws {
        try withServer("--concurrency", "1") { server in
            let runs = try (0..<8).map { _ in try server.submit(["sleep", "0.05"]) }
            let finished = try runs.map { try server.finished($0) }
            #expect(finished.allSatisfy { $0.end == .exited(0) })
            for (earlier, later) in zip(finished, finished.dropFirst()) {
                try #expect(#require(later.startedAt) >= #require(earlier.finishedAt))
            }
        }
    }

    @Test func `no more commands run at once than were allowed`() throws {
        try withServer("--concurrency", "3") { server in
            let nap = Marker.nap()
            let runs = try (0..<7).map { _ in try server.submit(["sleep", nap], ["timeoutSeconds": 60]) }
            for left in stride(from: 7, to: 0, by: -1) {
                let running = min(left, 3)
                #expect(eventually { ProcessTable.running(nap).count == running })
                // A run is reported finished a little later than its process is gone.
                let isSettled = try eventually {
                    let states = try runs.map { try server.get("/runs/\($0.id)").run().state }
                    return states.count { $0 == "running" } == running
                        && states.count { $0 == "queued" } == left - running
                }
                #expect(isSettled)
                #expect(ProcessTable.running(nap).count == running)
                // The next one takes the place of the one that ends.
                let pid = try #require(ProcessTable.running(nap).first)
                kill(pid, SIGKILL)
                #expect(eventually { !ProcessTable.running(nap).contains(pid) })
            }
            for run in runs { try #expect(server.finished(run).end == .signaled("SIGKILL")) }
        }
    }

    @Test func `queueing does not count against the time limit`() throws {
        try withServer("--concurrency", "1") { server in
            let first = try server.submit(["sleep", "1"])
            let second = try server.submit(["sh", "-c", "exit 5"], ["timeoutSeconds": 0.5])
            let queued = try server.get("/runs/\(second.id)").run()
            #expect(queued.state == "queued")
            #expect(queued.startedAt == nil)
            #expect(queued.end == .unfinished)
            try #expect(server.finished(second).end == .exited(5))
            try #expect(server.get("/runs/\(first.id)").run().end == .exited(0))
        }
    }

    @Test func `a client may wait for a run that is still queued`() throws {
        try withServer("--concurrency", "1") { server in
            _ = try server.submit(["sleep", "0.3"])
            try #expect(server.shell("exit 3").end == .exited(3))
        }
    }

    @Test func `a run that cannot start does not hold up the queue`() throws {
        try withServer("--concurrency", "1") { server in
            let runs = try (0..<6).map { number in
                try server.submit(number % 2 == 0 ? ["/no/such"] : ["sh", "-c", "exit \(number)"])
            }
            let ends = try runs.map { try server.finished($0).end }
            #expect(ends == [.startFailed, .exited(1), .startFailed, .exited(3), .startFailed, .exited(5)])
        }
    }
}
