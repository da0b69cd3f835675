import Glibc
import RunModel
import System
import TestSupport
import Testing

@testable import Store

struct IdempotencyTableTests {
    private let now = Timestamp.now
    private let key = IdempotencyKey("k", body: SHA256Digest(of: [1]))

    private func record(_ run: Run, ago milliseconds: Int64 = 0) -> IdempotencyRecord {
        IdempotencyRecord(
            key,
            for: run.id,
            since: Timestamp(millisecondsSince1970: now.millisecondsSince1970 - milliseconds)
        )
    }

    @Test func `a key is stored with its run and belongs to its principal, also after a restart`() async throws {
        let directory = try ScratchDirectory()
        let first = try RunStore.open(directory)
        let run = Run.make(1)
        #expect(try await first.foundKey("k", of: "alice") == nil)
        first.insert(run, run.specification, of: "alice", key: record(run))
        #expect(try await first.foundKey("k", of: "alice") == record(run))
        first.close()
        let second = try RunStore.open(directory)
        #expect(try await second.foundKey("k", of: "alice") == record(run))
        #expect(try await second.foundKey("k", of: "bob") == nil)
        #expect(try await second.foundKey("K", of: "alice") == nil)
        second.close()
    }

    @Test func `a key can be stored for a run that already exists`() async throws {
        let store = try RunStore.open(ScratchDirectory())
        let run = Run.make(1)
        store.insert(run)
        let record = IdempotencyRecord(key, for: run.id, since: now, isCached: true)
        #expect(
            await withCheckedContinuation { done in store.saveKey(record, of: "") { done.resume(returning: $0) } }
                == nil
        )
        #expect(try await store.foundKey("k") == record)
        store.close()
    }

    @Test func `a key is valid for one day, and a later record replaces an expired one`() async throws {
        let store = try RunStore.open(ScratchDirectory())
        let runs = [Run.make(1), Run.make(2)]
        #expect(record(runs[0], ago: IdempotencyRecord.lifetimeMilliseconds - 1).isValid(at: now))
        #expect(!record(runs[0], ago: IdempotencyRecord.lifetimeMilliseconds).isValid(at: now))
        store.insert(
            runs[0],
            runs[0].specification,
            of: "",
            key: record(runs[0], ago: IdempotencyRecord.lifetimeMilliseconds - 60_000)
        )
        store.insert(runs[1], runs[1].specification, of: "", key: record(runs[1]))
        #expect(try await store.foundKey("k") == record(runs[1]))
        store.close()
    }

    @Test func `keys that are one day old are removed in batches, and newer keys stay`() async throws {
        let directory = try ScratchDirectory()
        let store = try RunStore.open(directory)
        for number in 0..<600 {
            let run = Run.make(Int64(number + 1))
            let key = IdempotencyKey("\(number)", body: key.body)
            let isOld = number < 550
            let age = isOld ? IdempotencyRecord.lifetimeMilliseconds + 1 : 0
            let since = Timestamp(millisecondsSince1970: now.millisecondsSince1970 - age)
            store.insert(run, run.specification, of: "", key: IdempotencyRecord(key, for: run.id, since: since))
        }
        // The thread removes a batch of expired keys after each job.
        for _ in 0..<5 { _ = try await store.listed() }
        #expect(try await store.foundKey("0") == nil)
        #expect(try await store.foundKey("599") != nil)
        store.close()
        let connection = try SQLiteConnection(path: directory.path + "/data/sandglass.sqlite")
        #expect(try connection.number("SELECT count(*) FROM idempotency") == 50)
    }

    @Test(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
    func `a run that a full disk refuses stores neither its key nor its later updates`() async throws {
        try await withSmallDisk { directory in
            let store = try RunStore(DataDirectory(path: directory + "/data"))
            store.start()
            fill(directory + "/filler")
            // Larger than the space that the existing write-ahead log may still have.
            let run = Run.make(
                1,
                RunSpecification(command: [String](repeating: String(repeating: "x", count: 8192), count: 300))
            )
            store.insert(run, run.specification, of: "", key: record(run))
            #expect(await store.persisted(run.id)?.isOutOfSpace == true)
            #expect(unlink(directory + "/filler") == 0)
            store.update(run.finished())
            #expect(await store.persisted(run.id) == nil)
            store.discard(run.id)
            #expect(try await store.foundKey("k") == nil)
            #expect(try await store.found(run.id) == nil)
            store.close()
        }
    }
}

extension RunStore {
    func foundKey(_ key: String, of principal: String = "") async throws -> IdempotencyRecord? {
        try await withCheckedContinuation { continuation in
            findKey(key, of: principal) { continuation.resume(returning: $0) }
        }.get()
    }
}
