import Digests
import Glibc
import Runs
import TestSupport
import Testing

@testable import Store

extension Run {
    static func make(
        _ milliseconds: Int64,
        _ specification: RunSpecification = RunSpecification(command: ["true"])
    ) -> Run {
        var specification = specification
        // Written down, for it is remembered as a number.
        specification.limits.cpu = .seconds(20)
        var ids = RunIDGenerator()
        let time = Timestamp(millisecondsSince1970: milliseconds)
        return Run(id: ids.next(now: time), specification: specification, enforcement: .current, createdAt: time)
    }

    func finished(_ outcome: Outcome = .exited(code: 0), keeping artifacts: [Artifact] = []) -> Run {
        var run = self
        guard state != .finished else { return self }
        let collected = CollectedArtifacts(kept: artifacts)
        run.finish(Run.Result(outcome: outcome, usage: nil, finishedAt: createdAt, artifacts: collected))
        return run
    }
}

/// Calls a test with a folder that has 2 MiB and no more, in a mount of its own.
func withSmallDisk(_ body: (String) async throws -> Void) async throws {
    let folder = try ScratchFolder()
    try #require(mount("tmpfs", folder.path, "tmpfs", 0, "size=2m") == 0)
    defer { umount(folder.path) }
    try await body(folder.path)
}

/// Takes all the room that a file system has left, with one file.
func fill(_ path: String) {
    let filler = open(path, O_WRONLY | O_CREAT, 0o600)
    let zeros = [UInt8](repeating: 0, count: 4096)
    while write(filler, zeros, zeros.count) > 0 {}
    close(filler)
}

extension RunStore {
    /// A store in a folder that stays.
    static func open(_ folder: ScratchFolder, retention: Retention = Retention()) throws -> RunStore {
        let store = try RunStore(DataDirectory(path: folder.path + "/data"), retention: retention)
        store.start()
        return store
    }

    /// Remembers a new run as a service does that is asked for nothing else.
    func insert(_ run: Run) { insert(run, run.specification, of: "") }

    func confirmed(_ id: RunID) async -> StoreError? {
        await withCheckedContinuation { continuation in confirm(id) { continuation.resume(returning: $0) } }
    }

    /// Makes a blob of what a run has left.
    func keep(_ bytes: [UInt8], of run: RunID, owner: String) throws -> SHA256Digest {
        let blob = try blobs.keep(bytes: bytes.count, of: run, owner: owner)
        try bytes.withUnsafeBytes { bytes in try blob.append(bytes) }
        return try blob.finish()
    }

    func found(_ id: RunID) async throws -> Run? {
        try await withCheckedContinuation { continuation in find(id) { continuation.resume(returning: $0) } }.get()?.run
    }

    func listed(_ filter: RunFilter = RunFilter(), limit: Int = 100) async throws -> [Run] {
        try await withCheckedContinuation { continuation in
            page(filter, limit: limit) { continuation.resume(returning: $0) }
        }.get().map(\.run)
    }

    func forgot(_ id: RunID) async throws -> Bool {
        try await withCheckedContinuation { continuation in forget(id) { continuation.resume(returning: $0) } }.get()
    }
}
