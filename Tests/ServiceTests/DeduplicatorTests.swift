import Reactor
import RunModel
import Service
import Store
import System
import TestSupport
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct DeduplicatorTests {
    /// A script that writes a different output at each execution.
    private static let uuid = RunSpecification.script("sleep 0.3; cat /proc/sys/kernel/random/uuid")

    private static func keyed(
        _ text: String,
        _ body: UInt8 = 1,
        of principal: String = "",
        _ specification: RunSpecification = .script("exit 0")
    ) -> Submission {
        Submission(specification, of: principal, key: IdempotencyKey(text, body: SHA256Digest(of: [body])))
    }

    private static func cached(_ specification: RunSpecification, of principal: String = "") -> Submission {
        Submission(specification, of: principal, cacheDigest: specification.digest)
    }

    // MARK: Idempotency keys

    @Test func `a hundred concurrent requests with one key create one run`() async throws {
        try await withService { fixture in
            let accepted = try await fixture.submit((0..<100).map { _ in Self.keyed("k") })
            #expect(Set(accepted.map(\.run.id)).count == 1)
            #expect(accepted.allSatisfy { !$0.isCached })
            #expect(try await fixture.count() == 1)
        }
    }

    @Test func `a key still returns its run after a restart of the service`() async throws {
        let directory = try ScratchDirectory()
        for _ in 0..<2 {
            try await withService(directory: directory.path + "/data") { fixture in
                let run = try await fixture.submit(Self.keyed("k")).run
                _ = await fixture.end(of: run.id)
                #expect(try await fixture.count() == 1)
            }
        }
    }

    @Test func `a key with a different body is rejected, and another key or principal gets its own run`() async throws {
        try await withService { fixture in
            let first = try await fixture.submit(Self.keyed("k")).run.id
            await #expect(throws: SubmissionError.keyTaken) { try await fixture.submit(Self.keyed("k", 2)) }
            let others = try await fixture.submit([Self.keyed("l", 2), Self.keyed("k", 2, of: "bob")]).map(\.run.id)
            #expect(Set(others + [first]).count == 3)
        }
    }

    @Test func `a rejected request does not use up its key`() async throws {
        try await withService(concurrency: 1, queueLimit: 0) { fixture in
            let busy = try fixture.submit(.script("exec sleep 1000"))
            await #expect(throws: SubmissionError.queueFull(waiting: 0)) { try await fixture.submit(Self.keyed("k")) }
            _ = try await fixture.service.cancel(busy.id)
            _ = await fixture.end(of: busy.id)
            // A different body is accepted too, because the first request created no run.
            #expect(try await fixture.submit(Self.keyed("k", 2)).run.state == .queued)
        }
    }

    @Test func `a key whose run was deleted does not run the command again`() async throws {
        try await withService { fixture in
            let id = try await fixture.submit(Self.keyed("k")).run.id
            _ = await fixture.end(of: id)
            #expect(try await fixture.service.delete(id) == .deleted)
            await #expect(throws: SubmissionError.runDeleted(id)) { try await fixture.submit(Self.keyed("k")) }
            #expect(try await fixture.count() == 0)
        }
    }

    @Test func `a stopping service still returns the runs of known keys`() async throws {
        try await withService { fixture in
            let id = try await fixture.submit(Self.keyed("k", 1, .script("exec sleep 1000"))).run.id
            fixture.service.stop {}
            #expect(try await fixture.submit(Self.keyed("k")).run.id == id)
            await #expect(throws: SubmissionError.notAccepting) { try await fixture.submit(Self.keyed("l")) }
        }
    }

    // MARK: Results of the same specification

    @Test func `a running run of the same specification is shared and executed once`() async throws {
        try await withService(concurrency: 8) { fixture in
            let accepted = try await fixture.submit((0..<20).map { _ in Self.cached(Self.uuid) })
            #expect(accepted.map(\.isCached) == [false] + [Bool](repeating: true, count: 19))
            #expect(Set(accepted.map(\.run.id)).count == 1)
            #expect(try await fixture.count() == 1)
        }
    }

    @Test func `a run that exited is the result of later runs of the same specification`() async throws {
        try await withService { fixture in
            let first = try fixture.submit(Self.uuid).id
            let end = await fixture.end(of: first)
            var labelled = Self.uuid
            labelled.labels = ["a": "b"]
            let second = try await fixture.submit(Self.cached(labelled))
            #expect(second.isCached && second.run.id == first && second.run.standardOutput == end?.standardOutput)
            let third = try await fixture.submit(Submission(Self.uuid))
            #expect(!third.isCached && third.run.id != first)
            let bobs = try await fixture.submit(Self.cached(Self.uuid, of: "bob"))
            #expect(!bobs.isCached)
        }
    }

    @Test(arguments: ["kill -9 $$", "exec sleep 1000"])
    func `a run that did not exit is not shared`(script: String) async throws {
        try await withService { fixture in
            let specification = RunSpecification.script(script, timeout: .milliseconds(200))
            let first = try await fixture.submit(Self.cached(specification)).run.id
            #expect(await fixture.end(of: first)?.result?.outcome.isExit == false)
            let second = try await fixture.submit(Self.cached(specification))
            #expect(!second.isCached && second.run.id != first)
        }
    }

    @Test func `a key that returned a shared run is used up`() async throws {
        try await withService { fixture in
            let first = try fixture.submit(.script("exit 0")).id
            _ = await fixture.end(of: first)
            var submission = Self.keyed("k")
            submission.cacheDigest = submission.specification.digest
            for _ in 0..<2 {
                let accepted = try await fixture.submit(submission)
                #expect(accepted.isCached && accepted.run.id == first)
            }
            await #expect(throws: SubmissionError.keyTaken) { try await fixture.submit(Self.keyed("k", 2)) }
        }
    }
}
