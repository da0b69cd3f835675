import Glibc
import RunModel
import System
import TestSupport
import Testing

@testable import Store

struct BlobStoreTests {
    private let directory: ScratchDirectory

    init() throws { directory = try ScratchDirectory() }

    private var blobs: String { directory.path + "/data/blobs" }

    private func open(_ limits: BlobLimits = BlobLimits()) throws -> RunStore {
        try RunStore.open(directory, blobLimits: limits)
    }

    private var files: [String] { directory.blobFiles }

    @Test func `a complete upload is found under its digest`() async throws {
        let store = try open()
        let content = bytes(1_000_000)
        let digest = SHA256Digest(of: content)
        #expect(store.blobs.find(digest, for: "a") == nil)
        #expect(await store.put(content, of: "a") == .success(.created))
        let found = try #require(store.blobs.find(digest, for: "a"))
        #expect(found.bytes == content.count)
        #expect(ScratchDirectory.contents(of: found.path) == content)
        #expect(
            ScratchDirectory.contents(of: "\(blobs)/\(digest.hexadecimal.prefix(2))/\(digest.hexadecimal)") == content
        )
        var status = stat()
        #expect(lstat(found.path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        store.close()
        #expect(files == [digest.hexadecimal])
    }

    @Test func `a blob and its owner are found after a restart`() async throws {
        let content = bytes(10)
        let first = try open()
        #expect(await first.put(content, of: "a") == .success(.created))
        first.close()
        let second = try open()
        let digest = SHA256Digest(of: content)
        #expect(second.blobs.find(digest, for: "a")?.bytes == 10)
        #expect(second.blobs.find(digest, for: "b") == nil)
        #expect(await second.put(content, of: "a") == .success(.existing))
        second.close()
    }

    @Test func `an upload with another digest is refused`() async throws {
        let store = try open()
        let content = bytes(200_000)
        let result = await store.put(content, as: SHA256Digest(of: [1]))
        #expect(result == .failure(.digestMismatch(SHA256Digest(of: content))))
        #expect(files == [])
        #expect(await store.put(content) == .success(.created))
        store.close()
    }

    @Test func `a cancelled upload leaves nothing behind`() async throws {
        let store = try open(BlobLimits(bytes: 1 << 20, uploads: 1))
        let content = bytes(500_000)
        for count in [0, 10, 100_000, 500_000] {
            let upload = try store.blobs.upload(SHA256Digest(of: content), bytes: 1 << 20, of: "") {}
            await upload.send(Array(content.prefix(count)))
            #expect(files.count == 1)
            upload.cancel()
            // Two threads run the jobs: the removal may be later than the next call.
            #expect(await eventually { files.isEmpty })
            #expect(
                await eventually {
                    (try? store.blobs.upload(SHA256Digest(of: content), bytes: 1 << 20, of: "") {}.cancel()) != nil
                }
            )
            #expect(await eventually { files.isEmpty })
        }
        store.close()
    }

    @Test func `a finished upload cannot be cancelled`() async throws {
        let store = try open()
        let content = bytes(300_000)
        let upload = try store.blobs.upload(SHA256Digest(of: content), bytes: nil, of: "") {}
        await upload.send(content)
        async let result = upload.finished()
        #expect(await result == .success(.created))
        upload.cancel()
        #expect(store.blobs.find(SHA256Digest(of: content), for: "") != nil)
        #expect(await upload.finished() == .failure(.incomplete))
        store.close()
    }

    @Test func `concurrent uploads of one digest become one file`() async throws {
        let store = try open()
        let content = bytes(400_000)
        let blobs = store.blobs
        let results = await withTaskGroup(of: Result<BlobUploadResult, BlobError>.self) { group in
            for _ in 0..<8 { group.addTask { await blobs.put(content, of: "a") } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.filter { $0 == .success(.created) }.count == 1)
        #expect(results.filter { $0 == .success(.existing) }.count == 7)
        #expect(files == [SHA256Digest(of: content).hexadecimal])
        store.close()
    }

    @Test func `a principal sees its uploads and the blobs that its runs hold`() async throws {
        let store = try open()
        let content = bytes(10)
        let digest = SHA256Digest(of: content)
        #expect(await store.put(content, of: "a") == .success(.created))
        #expect(store.blobs.find(digest, for: "a") != nil)
        #expect(store.blobs.find(digest, for: "b") == nil)
        #expect(store.blobs.find(digest, for: nil) != nil)
        let run = Run.make(1)
        #expect(store.blobs.hold([digest], by: run.id, for: "b", owner: "b") == [digest])
        #expect(store.blobs.hold([digest], by: run.id, for: nil, owner: "c") == [])
        #expect(store.blobs.find(digest, for: "c") != nil)
        #expect(store.blobs.find(digest, for: "b") == nil)
        // The result is the same as for a new blob: the sender does not learn that another principal has it.
        #expect(await store.put(content, of: "b") == .success(.created))
        #expect(store.blobs.find(digest, for: "b") != nil)
        #expect(files.count == 1)
        store.close()
    }

    // MARK: Quota

    @Test func `all blobs share the quota and a small blob counts as one block`() async throws {
        let store = try open(BlobLimits(bytes: 3 * 4096))
        for number in 0..<3 as Range<UInt8> { #expect(await store.put([number]) == .success(.created)) }
        #expect(await store.put([3]) == .failure(.overQuota(3 * 4096)))
        #expect(await store.put([]) == .failure(.overQuota(3 * 4096)))
        store.close()
        let again = try open(BlobLimits(bytes: 4 * 4096))
        #expect(await again.put([3]) == .success(.created))
        #expect(await again.put([4]) == .failure(.overQuota(4 * 4096)))
        again.close()
    }

    @Test func `an upload reserves its announced size until it ends`() async throws {
        let store = try open(BlobLimits(bytes: 1 << 20))
        let first = try store.blobs.upload(SHA256Digest(of: [1]), bytes: 1 << 20, of: "") {}
        #expect(throws: BlobError.overQuota(1 << 20)) {
            try store.blobs.upload(SHA256Digest(of: [2]), bytes: 1, of: "") {}
        }
        await first.send([1])
        #expect(await first.finished() == .success(.created))
        #expect(await store.put(bytes((1 << 20) - 4096)) == .success(.created))
        #expect(await store.put([3]) == .failure(.overQuota(1 << 20)))
        store.close()
    }

    @Test func `an upload of unknown size is refused when it exceeds the quota`() async throws {
        let store = try open(BlobLimits(bytes: 1 << 20))
        let content = bytes(2 << 20)
        let upload = try store.blobs.upload(SHA256Digest(of: content), bytes: nil, of: "") {}
        #expect(await upload.send(content) == .overQuota(1 << 20))
        upload.cancel()
        #expect(await eventually { files.isEmpty })
        #expect(
            await eventually {
                (try? store.blobs.upload(SHA256Digest(of: [1]), bytes: 1 << 20, of: "") {}.cancel()) != nil
            }
        )
        store.close()
    }

    @Test func `the number of concurrent uploads is limited`() throws {
        let store = try open(BlobLimits(uploads: 2))
        let digest = SHA256Digest(of: [1])
        let uploads = try (0..<2).map { _ in try store.blobs.upload(digest, bytes: 1, of: "") {} }
        #expect(throws: BlobError.tooManyUploads(2)) { try store.blobs.upload(digest, bytes: 1, of: "") {} }
        for upload in uploads { upload.cancel() }
        store.close()
    }

    @Test func `one of several principals may use half of the uploads`() throws {
        let store = try open(BlobLimits(uploads: 4))
        let digest = SHA256Digest(of: [1])
        var uploads = try (0..<2).map { _ in try store.blobs.upload(digest, bytes: 1, of: "a") {} }
        #expect(throws: BlobError.tooManyUploads(2)) { try store.blobs.upload(digest, bytes: 1, of: "a") {} }
        uploads += try (0..<2).map { _ in try store.blobs.upload(digest, bytes: 1, of: "b") {} }
        #expect(throws: BlobError.tooManyUploads(2)) { try store.blobs.upload(digest, bytes: 1, of: "c") {} }
        for upload in uploads { upload.cancel() }
        store.close()
    }
}
