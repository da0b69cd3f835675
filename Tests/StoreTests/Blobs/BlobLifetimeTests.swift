import Glibc
import RunModel
import System
import TestSupport
import Testing

@testable import Store

struct BlobLifetimeTests {
    private let directory: ScratchDirectory

    init() throws { directory = try ScratchDirectory() }

    private func open(_ limits: BlobLimits = BlobLimits()) throws -> RunStore {
        try RunStore.open(directory, blobLimits: limits)
    }

    private var files: [String] { directory.blobFiles }

    // MARK: Expiry

    @Test func `an expired blob that no run holds is removed and frees its quota`() async throws {
        let run = Run.make(1)
        // The first store has the default retention: with 0 seconds, the blob would be removed before the run holds it.
        let first = try open()
        #expect(await first.put([1]) == .success(.created))
        #expect(first.blobs.hold([SHA256Digest(of: [1])], by: run.id, for: "", owner: "") == [])
        first.insert(run)
        #expect(await first.persisted(run.id) == nil)
        first.close()
        let store = try open(BlobLimits(bytes: 2 * 4096, retentionSeconds: 0))
        for number in 2..<6 as Range<UInt8> { #expect(await store.put([number]) == .success(.created)) }
        #expect(store.blobs.find(SHA256Digest(of: [1]), for: "") != nil)
        #expect(store.blobs.find(SHA256Digest(of: [2]), for: "") == nil)
        store.update(run.finished())
        store.blobs.collectExpired()
        #expect(store.blobs.find(SHA256Digest(of: [1]), for: "") == nil)
        #expect(await eventually { files.isEmpty })
        store.close()
    }

    @Test func `a recently used blob stays`() async throws {
        let store = try open(BlobLimits(bytes: 4096, retentionSeconds: 3600))
        #expect(await store.put([1]) == .success(.created))
        store.blobs.collectExpired()
        #expect(await store.put([2]) == .failure(.overQuota(4096)))
        #expect(store.blobs.find(SHA256Digest(of: [1]), for: "") != nil)
        store.close()
    }

    @Test func `an open blob stays readable after its removal`() async throws {
        let content = bytes(100_000)
        let first = try open()
        #expect(await first.put(content) == .success(.created))
        let path = try #require(first.blobs.find(SHA256Digest(of: content), for: "")?.path)
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        first.close()
        let store = try open(BlobLimits(retentionSeconds: 0))
        store.blobs.collectExpired()
        #expect(await eventually { files.isEmpty })
        var buffer = [UInt8](repeating: 0, count: content.count)
        #expect(read(descriptor, &buffer, buffer.count) == content.count)
        #expect(buffer == content)
        store.close()
    }

    @Test func `a run holds its input blobs until it is finished, also after a restart`() async throws {
        let first = try open()
        let run = Run.make(1)
        let digest = SHA256Digest(of: [1])
        #expect(await first.put([1], of: "a") == .success(.created))
        #expect(first.blobs.hold([digest], by: run.id, for: "a", owner: "b") == [])
        // This run is never inserted: it holds nothing after a restart.
        #expect(await first.put([2]) == .success(.created))
        #expect(first.blobs.hold([SHA256Digest(of: [2])], by: Run.make(2).id, for: nil, owner: "b") == [])
        first.insert(run)
        #expect(await first.persisted(run.id) == nil)
        first.close()
        let second = try open(BlobLimits(retentionSeconds: 0))
        second.blobs.collectExpired()
        #expect(second.blobs.find(digest, for: "b") != nil)
        #expect(second.blobs.find(SHA256Digest(of: [2]), for: nil) == nil)
        second.update(run.finished())
        second.blobs.collectExpired()
        #expect(second.blobs.find(digest, for: nil) == nil)
        second.close()
    }

    @Test func `an artifact stays until its run is deleted, also after a restart`() async throws {
        let first = try open()
        let run = Run.make(1)
        first.insert(run)
        let digest = try first.storeArtifact([1, 2, 3], of: run.id, owner: "b")
        #expect(digest == SHA256Digest(of: [1, 2, 3]))
        #expect(first.blobs.find(digest, for: "a") == nil)
        let artifact = Artifact(path: "x", bytes: 3, sha256: digest.hexadecimal, isExecutable: false)
        first.update(run.finished(keeping: [artifact]))
        #expect(await first.persisted(run.id) == nil)
        first.close()
        let second = try open(BlobLimits(retentionSeconds: 0))
        second.blobs.collectExpired()
        #expect(second.blobs.find(digest, for: "b")?.bytes == 3)
        #expect(try await second.deleted(run.id))
        second.blobs.collectExpired()
        #expect(second.blobs.find(digest, for: nil) == nil)
        #expect(await eventually { files.isEmpty })
        second.close()
    }

    @Test func `an unfinished artifact and one beyond the quota leave nothing behind`() async throws {
        let store = try open(BlobLimits(bytes: 8192))
        #expect(throws: BlobError.overQuota(8192)) {
            try store.blobs.createArtifact(bytes: 8193, of: Run.make(1).id, owner: "")
        }
        do {
            let artifact = try store.blobs.createArtifact(bytes: 8192, of: Run.make(1).id, owner: "")
            try [1, 2, 3].withUnsafeBytes { bytes in try artifact.append(bytes) }
        }
        #expect(
            try store.storeArtifact([UInt8](repeating: 7, count: 8192), of: Run.make(2).id, owner: "").bytes.count == 32
        )
        store.close()
    }

    // MARK: Start and end

    @Test func `a start removes unknown files and drops blobs without a valid file`() async throws {
        let first = try open()
        for number in 0..<4 as Range<UInt8> { #expect(await first.put([number]) == .success(.created)) }
        first.close()
        let digests = (0..<4 as Range<UInt8>).map { SHA256Digest(of: [$0]).hexadecimal }
        func path(_ digest: String) -> String { "data/blobs/\(digest.prefix(2))/\(digest)" }
        // One file is missing, one is truncated, and two files are unknown.
        #expect(unlink(directory.path + "/" + path(digests[0])) == 0)
        #expect(truncate(directory.path + "/" + path(digests[1]), 0) == 0)
        try directory.makeFile("data/blobs/incoming/17", "half of it")
        try directory.makeFile(String(path(digests[2]).dropLast()), "what is it")
        let second = try open()
        #expect(await eventually { files == digests[2...].sorted() })
        for (number, digest) in digests.enumerated() {
            let digest = try #require(SHA256Digest(hexadecimal: digest))
            #expect((second.blobs.find(digest, for: "") != nil) == (number >= 2))
        }
        #expect(await second.put([0]) == .success(.created))
        second.close()
    }

    @Test func `closing a temporary directory removes its blobs`() async throws {
        let directory = try DataDirectory(temporaryIn: directory.path)
        let store = try RunStore(directory)
        store.start()
        #expect(await store.put([1]) == .success(.created))
        let upload = try store.blobs.upload(SHA256Digest(of: [2]), bytes: 1, of: "") {}
        store.close()
        upload.cancel()
        #expect(ScratchDirectory.names(in: directory.path) == [])
    }

    @Test(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
    func `on a full disk an upload is refused and leaves nothing behind`() async throws {
        try await withSmallDisk { disk in
            let store = try RunStore(DataDirectory(path: disk + "/data"))
            store.start()
            let result = await store.put(bytes(4 << 20))
            guard case .failure(.notStored(let error)) = result else {
                Issue.record("\(result)")
                return store.close()
            }
            #expect(error.isOutOfSpace)
            #expect(await eventually { ScratchDirectory.names(in: disk + "/data/blobs/incoming").isEmpty })
            #expect(await store.put(bytes(1000)) == .success(.created))
            store.close()
        }
    }
}
