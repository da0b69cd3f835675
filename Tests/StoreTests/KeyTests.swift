import Digests
import Glibc
import Runs
import TestSupport
import Testing

@testable import Store

struct KeyTests {
    private let now = Timestamp.now
    private let key = IdempotencyKey("k", body: SHA256Digest(of: [1]))

    private func use(_ run: Run, ago milliseconds: Int64 = 0) -> KeyUse {
        KeyUse(key, for: run.id, since: Timestamp(millisecondsSince1970: now.millisecondsSince1970 - milliseconds))
    }

    @Test func `a key is remembered with its run, for its principal, across a restart`() async throws {
        let folder = try ScratchFolder()
        let first = try RunStore.open(folder)
        let run = Run.make(1)
        #expect(try await first.foundKey("k", of: "alice") == nil)
        first.insert(run, run.specification, of: "alice", key: use(run))
        #expect(try await first.foundKey("k", of: "alice") == use(run))
        first.close()
        let second = try RunStore.open(folder)
        #expect(try await second.foundKey("k", of: "alice") == use(run))
        #expect(try await second.foundKey("k", of: "bob") == nil)
        #expect(try await second.foundKey("K", of: "alice") == nil)
        second.close()
    }

    @Test func `a key can stand for a run that is there already`() async throws {
        let store = try RunStore.open(ScratchFolder())
        let run = Run.make(1)
        store.insert(run)
        let use = KeyUse(key, for: run.id, since: now, isCached: true)
        #expect(await withCheckedContinuation { done in store.keep(use, of: "") { done.resume(returning: $0) } } == nil)
        #expect(try await store.foundKey("k") == use)
        store.close()
    }

    @Test func `a key stands for its run for a day, and its next use replaces it`() async throws {
        let store = try RunStore.open(ScratchFolder())
        let runs = [Run.make(1), Run.make(2)]
        #expect(use(runs[0], ago: KeyUse.lifetimeMilliseconds - 1).isValid(at: now))
        #expect(!use(runs[0], ago: KeyUse.lifetimeMilliseconds).isValid(at: now))
        store.insert(
            runs[0],
            runs[0].specification,
            of: "",
            key: use(runs[0], ago: KeyUse.lifetimeMilliseconds - 60_000)
        )
        store.insert(runs[1], runs[1].specification, of: "", key: use(runs[1]))
        #expect(try await store.foundKey("k") == use(runs[1]))
        store.close()
    }

    @Test func `keys that are a day old are removed, however many, and younger ones are not`() async throws {
        let folder = try ScratchFolder()
        let store = try RunStore.open(folder)
        for number in 0..<600 {
            let run = Run.make(Int64(number + 1))
            let key = IdempotencyKey("\(number)", body: key.body)
            let isOld = number < 550
            let age = isOld ? KeyUse.lifetimeMilliseconds + 1 : 0
            let since = Timestamp(millisecondsSince1970: now.millisecondsSince1970 - age)
            store.insert(run, run.specification, of: "", key: KeyUse(key, for: run.id, since: since))
        }
        // Each time the thread has done something it also looks for what is too old.
        for _ in 0..<5 { _ = try await store.listed() }
        #expect(try await store.foundKey("0") == nil)
        #expect(try await store.foundKey("599") != nil)
        store.close()
        let connection = try SQLiteConnection(path: folder.path + "/data/sandglass.sqlite")
        #expect(try connection.number("SELECT count(*) FROM idempotency") == 50)
    }

    @Test(.enabled(if: geteuid() == 0, "only root mounts a small file system"))
    func `a run that the disk refuses takes no key, and what comes of it later makes no row`() async throws {
        try await withSmallDisk { folder in
            let store = try RunStore(DataDirectory(path: folder + "/data"))
            store.start()
            fill(folder + "/filler")
            // Larger than what a log that is there already may still take.
            let run = Run.make(
                1,
                RunSpecification(command: [String](repeating: String(repeating: "x", count: 8192), count: 300))
            )
            store.insert(run, run.specification, of: "", key: use(run))
            #expect(await store.confirmed(run.id)?.isOutOfSpace == true)
            #expect(unlink(folder + "/filler") == 0)
            store.update(run.finished())
            #expect(await store.confirmed(run.id) == nil)
            store.abandon(run.id)
            #expect(try await store.foundKey("k") == nil)
            #expect(try await store.found(run.id) == nil)
            store.close()
        }
    }
}

extension RunStore {
    func foundKey(_ key: String, of principal: String = "") async throws -> KeyUse? {
        try await withCheckedContinuation { continuation in
            findKey(key, of: principal) { continuation.resume(returning: $0) }
        }.get()
    }
}
