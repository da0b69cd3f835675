import Digests
import Reactor
import Runs
import Service
import Store
import TestSupport
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct EarlierRunTests {
    /// Each execution of it writes something else.
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

    // MARK: Keys

    @Test func `a hundred requests with one key that come together are one run`() async throws {
        try await withService { fixture in
            let accepted = try await fixture.submit((0..<100).map { _ in Self.keyed("k") })
            #expect(Set(accepted.map(\.run.id)).count == 1)
            #expect(accepted.allSatisfy { !$0.isCached })
            #expect(try await fixture.count() == 1)
        }
    }

    @Test func `a key stands for its run in the next service too`() async throws {
        let folder = try ScratchFolder()
        for _ in 0..<2 {
            try await withService(directory: folder.path + "/data") { fixture in
                let run = try await fixture.submit(Self.keyed("k")).run
                _ = await fixture.end(of: run.id)
                #expect(try await fixture.count() == 1)
            }
        }
    }

    @Test func `another body with the same key is refused, and another key or principal has its own run`() async throws
    {
        try await withService { fixture in
            let first = try await fixture.submit(Self.keyed("k")).run.id
            await #expect(throws: SubmissionError.keyTaken) { try await fixture.submit(Self.keyed("k", 2)) }
            let others = try await fixture.submit([Self.keyed("l", 2), Self.keyed("k", 2, of: "bob")]).map(\.run.id)
            #expect(Set(others + [first]).count == 3)
        }
    }

    @Test func `a request that is refused does not take its key`() async throws {
        try await withService(concurrency: 1, queueLimit: 0) { fixture in
            let busy = try fixture.service.submit(.script("exec sleep 1000"))
            await #expect(throws: SubmissionError.queueFull(waiting: 0)) { try await fixture.submit(Self.keyed("k")) }
            fixture.service.cancel(busy.id) { _ in }
            _ = await fixture.end(of: busy.id)
            // Also with another body: nothing came of the first.
            #expect(try await fixture.submit(Self.keyed("k", 2)).run.state == .running)
        }
    }

    @Test func `a key whose run has been forgotten does not run it again`() async throws {
        try await withService { fixture in
            let id = try await fixture.submit(Self.keyed("k")).run.id
            _ = await fixture.end(of: id)
            #expect(
                await withCheckedContinuation { done in
                    fixture.service.forget(id) { done.resume(returning: $0) }
                } == .forgotten
            )
            await #expect(throws: SubmissionError.keyForgotten(id)) { try await fixture.submit(Self.keyed("k")) }
            #expect(try await fixture.count() == 0)
        }
    }

    @Test func `a service that is being stopped still answers for the keys that it knows`() async throws {
        try await withService { fixture in
            let id = try await fixture.submit(Self.keyed("k", 1, .script("exec sleep 1000"))).run.id
            fixture.service.stop {}
            #expect(try await fixture.submit(Self.keyed("k")).run.id == id)
            await #expect(throws: SubmissionError.notAccepting) { try await fixture.submit(Self.keyed("l")) }
        }
    }

    // MARK: The very same run

    @Test func `the very same run under way is shared, and executed once`() async throws {
        try await withService(concurrency: 8) { fixture in
            let accepted = try await fixture.submit((0..<20).map { _ in Self.cached(Self.uuid) })
            #expect(accepted.map(\.isCached) == [false] + [Bool](repeating: true, count: 19))
            #expect(Set(accepted.map(\.run.id)).count == 1)
            #expect(try await fixture.count() == 1)
        }
    }

    @Test func `a run that exited answers for the very same one, whoever asked for it how`() async throws {
        try await withService { fixture in
            let first = try fixture.service.submit(Self.uuid).id
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
    func `a run that did not exit answers for nobody`(script: String) async throws {
        try await withService { fixture in
            let specification = RunSpecification.script(script, timeout: .milliseconds(200))
            let first = try await fixture.submit(Self.cached(specification)).run.id
            #expect(await fixture.end(of: first)?.result?.outcome.isExit == false)
            let second = try await fixture.submit(Self.cached(specification))
            #expect(!second.isCached && second.run.id != first)
        }
    }

    @Test func `a key can stand for an earlier run, and is taken then`() async throws {
        try await withService { fixture in
            let first = try fixture.service.submit(.script("exit 0")).id
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

extension ServiceFixture {
    func submit(_ submission: Submission) async throws -> Acceptance {
        try await withCheckedContinuation { continuation in
            service.submit(submission) { continuation.resume(returning: $0) }
        }.get()
    }

    /// Submits all of them before the first one is answered.
    func submit(_ submissions: [Submission]) async throws -> [Acceptance] {
        var results: [Result<Acceptance, SubmissionError>] = []
        await withCheckedContinuation { continuation in
            for submission in submissions {
                service.submit(submission) { result in
                    results.append(result)
                    if results.count == submissions.count { continuation.resume() }
                }
            }
        }
        return try results.map { try $0.get() }
    }

    /// How many runs there are.
    func count() async throws -> Int {
        try await withCheckedContinuation { continuation in
            service.list(RunFilter(), limit: 100) { continuation.resume(returning: $0) }
        }.get().count
    }
}
