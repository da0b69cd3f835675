import Glibc
import RunModel
import System
import TestSupport
import Testing

@testable import Store

extension Run {
    static func make(
        _ milliseconds: Int64,
        _ specification: RunSpecification = RunSpecification(command: ["true"])
    ) -> Run {
        var specification = specification
        // A record contains the limit as a number, so a decoded run would differ from one with an implicit default.
        specification.limits.cpu = .seconds(20)
        var ids = RunIDGenerator()
        let time = Timestamp(millisecondsSince1970: milliseconds)
        return Run(id: ids.next(now: time), specification: specification, enforcement: .minimum, createdAt: time)
    }

    func finished(_ outcome: Outcome = .exited(code: 0), keeping artifacts: [Artifact] = []) -> Run {
        var run = self
        guard state != .finished else { return self }
        let collected = CollectedArtifacts(kept: artifacts)
        run.finish(Run.Result(outcome: outcome, usage: nil, finishedAt: createdAt, artifacts: collected))
        return run
    }
}

// MARK: Disks

/// Calls a test with a directory on a file system of its own.
func withSmallDisk(size: String = "2m", _ body: (String) async throws -> Void) async throws {
    let directory = try ScratchDirectory()
    try #require(mount("tmpfs", directory.path, "tmpfs", 0, "size=\(size)") == 0)
    defer { umount(directory.path) }
    try await body(directory.path)
}

/// Fills a file system with one file.
func fill(_ path: String) {
    let filler = open(path, O_WRONLY | O_CREAT, 0o600)
    let zeros = [UInt8](repeating: 0, count: 4096)
    while write(filler, zeros, zeros.count) > 0 {}
    close(filler)
}

/// Waits until another thread makes a condition true.
func eventually(_ condition: () -> Bool) async -> Bool {
    let start = ContinuousClock.now
    while !condition() {
        guard start.duration(to: .now) < .seconds(20) else { return false }
        try? await Task.sleep(for: .milliseconds(1))
    }
    return true
}

// MARK: Runs

extension RunStore {
    /// Opens and starts a store in a permanent data directory.
    static func open(
        _ directory: ScratchDirectory,
        retention: Retention = Retention(),
        blobLimits: BlobLimits = BlobLimits()
    ) throws -> RunStore {
        let store = try RunStore(
            DataDirectory(path: directory.path + "/data"),
            retention: retention,
            blobLimits: blobLimits
        )
        store.start()
        return store
    }

    /// Inserts a new run of the principal without a name.
    func insert(_ run: Run) { insert(run, run.specification, of: "") }

    func persisted(_ id: RunID) async -> StoreError? {
        await withCheckedContinuation { continuation in persist(id) { continuation.resume(returning: $0) } }
    }

    func found(_ id: RunID) async throws -> Run? {
        try await withCheckedContinuation { continuation in find(id) { continuation.resume(returning: $0) } }.get()?.run
    }

    func listed(_ filter: RunFilter = RunFilter(), limit: Int = 100) async throws -> [Run] {
        try await withCheckedContinuation { continuation in
            page(filter, limit: limit) { continuation.resume(returning: $0) }
        }.get().map(\.run)
    }

    func deleted(_ id: RunID) async throws -> Bool {
        try await withCheckedContinuation { continuation in delete(id) { continuation.resume(returning: $0) } }.get()
    }
}

// MARK: Blobs

/// Makes the content of a blob: `count` bytes that depend on `seed`.
func bytes(_ count: Int, _ seed: UInt8 = 7) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) &+ seed }
}

extension ScratchDirectory {
    /// The names of all files in the subdirectories of the blob directory.
    var blobFiles: [String] {
        let blobs = path + "/data/blobs"
        return Self.names(in: blobs).flatMap { Self.names(in: blobs + "/" + $0) }.sorted()
    }
}

extension RunStore {
    /// Uploads a blob.
    func put(
        _ bytes: [UInt8],
        as digest: SHA256Digest? = nil,
        of principal: String = ""
    ) async -> Result<BlobUploadResult, BlobError> { await blobs.put(bytes, as: digest, of: principal) }

    /// Stores an artifact of a run.
    func storeArtifact(_ bytes: [UInt8], of run: RunID, owner: String) throws -> SHA256Digest {
        let artifact = try blobs.createArtifact(bytes: bytes.count, of: run, owner: owner)
        try bytes.withUnsafeBytes { bytes in try artifact.append(bytes) }
        return try artifact.finish()
    }
}

extension BlobStore {
    /// Uploads a blob.
    func put(
        _ bytes: [UInt8],
        as digest: SHA256Digest? = nil,
        of principal: String = ""
    ) async -> Result<BlobUploadResult, BlobError> {
        do throws(BlobError) {
            let upload = try upload(digest ?? SHA256Digest(of: bytes), bytes: bytes.count, of: principal) {}
            if let error = await upload.send(bytes) {
                upload.cancel()
                return .failure(error)
            }
            return await upload.finished()
        } catch {
            return .failure(error)
        }
    }
}

extension BlobUpload {
    /// Sends bytes as a server does: in pieces, and again when the buffers are full.
    @discardableResult
    func send(_ bytes: [UInt8]) async -> BlobError? {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch rest.prefix(30_000).withUnsafeBytes({ append($0) }) {
            case .taken: rest = rest.dropFirst(30_000)
            case .full: await Task.yield()
            case .failed(let error): return error
            }
        }
        return nil
    }

    func finished() async -> Result<BlobUploadResult, BlobError> {
        await withCheckedContinuation { continuation in finish { continuation.resume(returning: $0) } }
    }
}
