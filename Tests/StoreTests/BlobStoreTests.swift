import Digests
import Glibc
import Runs
import TestSupport
import Testing

@testable import Store

struct BlobStoreTests {
    private let folder: ScratchFolder

    init() throws { folder = try ScratchFolder() }

    private var blobs: String { folder.path + "/data/blobs" }

    private func open(_ limits: BlobLimits = BlobLimits()) throws -> RunStore {
        let store = try RunStore(DataDirectory(path: folder.path + "/data"), blobLimits: limits)
        store.start()
        return store
    }

    private func bytes(_ count: Int, _ seed: UInt8 = 7) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) &+ seed }
    }

    /// All files below the folder of blobs, by name.
    private var files: [String] {
        ScratchFolder.names(in: blobs).flatMap { ScratchFolder.names(in: blobs + "/" + $0) }.sorted()
    }

    @Test func `a blob is there when it has come as a whole, under its digest`() async throws {
        let store = try open()
        let content = bytes(1_000_000)
        let digest = SHA256Digest(of: content)
        #expect(store.blobs.find(digest, for: "a") == nil)
        #expect(await store.put(content, of: "a") == .success(.created))
        let found = try #require(store.blobs.find(digest, for: "a"))
        #expect(found.bytes == content.count)
        #expect(ScratchFolder.contents(of: found.path) == content)
        #expect(ScratchFolder.contents(of: "\(blobs)/\(digest.hexadecimal.prefix(2))/\(digest.hexadecimal)") == content)
        var status = stat()
        #expect(lstat(found.path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        store.close()
        #expect(files == [digest.hexadecimal])
    }

    @Test func `it is there after a restart, and whose it is too`() async throws {
        let content = bytes(10)
        let first = try open()
        #expect(await first.put(content, of: "a") == .success(.created))
        first.close()
        let second = try open()
        let digest = SHA256Digest(of: content)
        #expect(second.blobs.find(digest, for: "a")?.bytes == 10)
        #expect(second.blobs.find(digest, for: "b") == nil)
        #expect(await second.put(content, of: "a") == .success(.known))
        second.close()
    }

    @Test func `what has another digest is not kept`() async throws {
        let store = try open()
        let content = bytes(200_000)
        let result = await store.put(content, as: SHA256Digest(of: [1]))
        #expect(result == .failure(.wrongDigest(SHA256Digest(of: content))))
        #expect(files == [])
        #expect(await store.put(content) == .success(.created))
        store.close()
    }

    @Test func `an upload that is given up leaves nothing`() async throws {
        let store = try open(BlobLimits(bytes: 1 << 20, uploads: 1))
        let content = bytes(500_000)
        for count in [0, 10, 100_000, 500_000] {
            let upload = try store.blobs.upload(SHA256Digest(of: content), bytes: 1 << 20, of: "") {}
            await upload.send(Array(content.prefix(count)))
            #expect(files.count == 1)
            upload.cancel()
            // In the order of the wishes, but on two threads.
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

    @Test func `one that is finished cannot be given up`() async throws {
        let store = try open()
        let content = bytes(300_000)
        let upload = try store.blobs.upload(SHA256Digest(of: content), bytes: nil, of: "") {}
        await upload.send(content)
        async let result = upload.finished()
        #expect(await result == .success(.created))
        upload.cancel()
        #expect(store.blobs.find(SHA256Digest(of: content), for: "") != nil)
        #expect(await upload.finished() == .failure(.cutOff))
        store.close()
    }

    @Test func `uploads of one digest at the same time are one file`() async throws {
        let store = try open()
        let content = bytes(400_000)
        let uploads = store.blobs
        let results = await withTaskGroup(of: Result<BlobArrival, BlobError>.self) { group in
            for _ in 0..<8 { group.addTask { await uploads.put(content, of: "a") } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.filter { $0 == .success(.created) }.count == 1)
        #expect(results.filter { $0 == .success(.known) }.count == 7)
        #expect(files == [SHA256Digest(of: content).hexadecimal])
        store.close()
    }

    @Test func `a principal sees what it has uploaded, and what its runs hold`() async throws {
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
        // As if it was new to the one who sends it: nobody learns that somebody else has it.
        #expect(await store.put(content, of: "b") == .success(.created))
        #expect(store.blobs.find(digest, for: "b") != nil)
        #expect(files.count == 1)
        store.close()
    }

    // MARK: Quota

    @Test func `blobs have so much room together, and small ones count a block`() async throws {
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

    @Test func `what is announced is set aside, and given back`() async throws {
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

    @Test func `one of unknown length is refused when it passes what is left`() async throws {
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

    @Test func `so many are on their way at once`() throws {
        let store = try open(BlobLimits(uploads: 2))
        let digest = SHA256Digest(of: [1])
        let uploads = try (0..<2).map { _ in try store.blobs.upload(digest, bytes: 1, of: "") {} }
        #expect(throws: BlobError.tooManyUploads(2)) { try store.blobs.upload(digest, bytes: 1, of: "") {} }
        for upload in uploads { upload.cancel() }
        store.close()
    }

    // MARK: Collection

    @Test func `what nobody has used for long and no run holds is removed, and makes room`() async throws {
        let run = Run.make(1)
        // Where what nobody holds is removed at once, it would be before it is held.
        let first = try open()
        #expect(await first.put([1]) == .success(.created))
        #expect(first.blobs.hold([SHA256Digest(of: [1])], by: run.id, for: "", owner: "") == [])
        first.insert(run)
        #expect(await first.confirmed(run.id) == nil)
        first.close()
        let store = try open(BlobLimits(bytes: 2 * 4096, keptSeconds: 0))
        for number in 2..<6 as Range<UInt8> { #expect(await store.put([number]) == .success(.created)) }
        #expect(store.blobs.find(SHA256Digest(of: [1]), for: "") != nil)
        #expect(store.blobs.find(SHA256Digest(of: [2]), for: "") == nil)
        store.update(run.finished())
        store.blobs.collect()
        #expect(store.blobs.find(SHA256Digest(of: [1]), for: "") == nil)
        #expect(await eventually { files.isEmpty })
        store.close()
    }

    @Test func `what was used not long ago stays`() async throws {
        let store = try open(BlobLimits(bytes: 4096, keptSeconds: 3600))
        #expect(await store.put([1]) == .success(.created))
        store.blobs.collect()
        #expect(await store.put([2]) == .failure(.overQuota(4096)))
        #expect(store.blobs.find(SHA256Digest(of: [1]), for: "") != nil)
        store.close()
    }

    @Test func `whoever has a blob open has it, also when it is removed`() async throws {
        let content = bytes(100_000)
        let first = try open()
        #expect(await first.put(content) == .success(.created))
        let path = try #require(first.blobs.find(SHA256Digest(of: content), for: "")?.path)
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        first.close()
        let store = try open(BlobLimits(keptSeconds: 0))
        store.blobs.collect()
        #expect(await eventually { files.isEmpty })
        var buffer = [UInt8](repeating: 0, count: content.count)
        #expect(read(descriptor, &buffer, buffer.count) == content.count)
        #expect(buffer == content)
        store.close()
    }

    @Test func `a run holds its blobs over a restart, until it is finished`() async throws {
        let first = try open()
        let run = Run.make(1)
        let digest = SHA256Digest(of: [1])
        #expect(await first.put([1], of: "a") == .success(.created))
        #expect(first.blobs.hold([digest], by: run.id, for: "a", owner: "b") == [])
        // Never remembered: it holds nothing after a restart.
        #expect(await first.put([2]) == .success(.created))
        #expect(first.blobs.hold([SHA256Digest(of: [2])], by: Run.make(2).id, for: nil, owner: "b") == [])
        first.insert(run)
        #expect(await first.confirmed(run.id) == nil)
        first.close()
        let second = try open(BlobLimits(keptSeconds: 0))
        second.blobs.collect()
        #expect(second.blobs.find(digest, for: "b") != nil)
        #expect(second.blobs.find(SHA256Digest(of: [2]), for: nil) == nil)
        second.update(run.finished())
        second.blobs.collect()
        #expect(second.blobs.find(digest, for: nil) == nil)
        second.close()
    }

    @Test func `what a run has kept is a blob as long as it is remembered, over a restart too`() async throws {
        let first = try open()
        let run = Run.make(1)
        first.insert(run)
        let digest = try first.keep([1, 2, 3], of: run.id, owner: "b")
        #expect(digest == SHA256Digest(of: [1, 2, 3]))
        #expect(first.blobs.find(digest, for: "a") == nil)
        let artifact = Artifact(path: "x", bytes: 3, sha256: digest.hexadecimal, isExecutable: false)
        first.update(run.finished(keeping: [artifact]))
        #expect(await first.confirmed(run.id) == nil)
        first.close()
        let second = try open(BlobLimits(keptSeconds: 0))
        second.blobs.collect()
        #expect(second.blobs.find(digest, for: "b")?.bytes == 3)
        #expect(await second.forgotten(run.id))
        second.blobs.collect()
        #expect(second.blobs.find(digest, for: nil) == nil)
        #expect(await eventually { files.isEmpty })
        second.close()
    }

    @Test func `a run's file that is not finished leaves nothing, nor does one for which there is no room`()
        async throws
    {
        let store = try open(BlobLimits(bytes: 8192))
        #expect(throws: BlobError.overQuota(8192)) { try store.blobs.keep(bytes: 8193, of: Run.make(1).id, owner: "") }
        do {
            let blob = try store.blobs.keep(bytes: 8192, of: Run.make(1).id, owner: "")
            try [1, 2, 3].withUnsafeBytes { bytes in try blob.append(bytes) }
        }
        #expect(try store.keep([UInt8](repeating: 7, count: 8192), of: Run.make(2).id, owner: "").bytes.count == 32)
        store.close()
    }

    // MARK: Starts

    @Test func `a start removes what is not remembered, and forgets what is not there`() async throws {
        let first = try open()
        for number in 0..<4 as Range<UInt8> { #expect(await first.put([number]) == .success(.created)) }
        first.close()
        let digests = (0..<4 as Range<UInt8>).map { SHA256Digest(of: [$0]).hexadecimal }
        func path(_ digest: String) -> String { "data/blobs/\(digest.prefix(2))/\(digest)" }
        // One is gone, one is cut short; and there are some that nobody knows of.
        #expect(unlink(folder.path + "/" + path(digests[0])) == 0)
        #expect(truncate(folder.path + "/" + path(digests[1]), 0) == 0)
        try folder.makeFile("data/blobs/incoming/17", "half of it")
        try folder.makeFile(String(path(digests[2]).dropLast()), "what is it")
        let second = try open()
        #expect(files == digests[2...].sorted())
        for (number, digest) in digests.enumerated() {
            let digest = try #require(SHA256Digest(hexadecimal: digest))
            #expect((second.blobs.find(digest, for: "") != nil) == (number >= 2))
        }
        #expect(await second.put([0]) == .success(.created))
        second.close()
    }

    @Test func `a temporary folder goes with its blobs`() async throws {
        let directory = try DataDirectory(temporaryIn: folder.path)
        let store = try RunStore(directory)
        store.start()
        #expect(await store.put([1]) == .success(.created))
        let upload = try store.blobs.upload(SHA256Digest(of: [2]), bytes: 1, of: "") {}
        store.close()
        upload.cancel()
        #expect(ScratchFolder.names(in: folder.path) == [])
    }

    @Test(.enabled(if: geteuid() == 0, "only root mounts a small file system"))
    func `on a full disk a blob is refused, and nothing is left of it`() async throws {
        try await withSmallDisk { disk in
            let store = try RunStore(DataDirectory(path: disk + "/data"))
            store.start()
            let result = await store.put(bytes(4 << 20))
            guard case .failure(.notStored(let error)) = result else {
                Issue.record("\(result)")
                return store.close()
            }
            #expect(error.isOutOfSpace)
            #expect(await eventually { ScratchFolder.names(in: disk + "/data/blobs/incoming").isEmpty })
            #expect(await store.put(bytes(1000)) == .success(.created))
            store.close()
        }
    }
}

extension BlobUpload {
    /// Sends bytes as a server does: in pieces, and on when there is room.
    @discardableResult
    fileprivate func send(_ bytes: [UInt8]) async -> BlobError? {
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

    fileprivate func finished() async -> Result<BlobArrival, BlobError> {
        await withCheckedContinuation { continuation in finish { continuation.resume(returning: $0) } }
    }
}

extension BlobStore {
    fileprivate func put(
        _ bytes: [UInt8],
        as digest: SHA256Digest? = nil,
        of principal: String = ""
    ) async -> Result<BlobArrival, BlobError> {
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

extension RunStore {
    fileprivate func put(
        _ bytes: [UInt8],
        as digest: SHA256Digest? = nil,
        of principal: String = ""
    ) async -> Result<BlobArrival, BlobError> { await blobs.put(bytes, as: digest, of: principal) }

    fileprivate func forgotten(_ id: RunID) async -> Bool {
        await withCheckedContinuation { continuation in
            forget(id) { continuation.resume(returning: (try? $0.get()) ?? false) }
        }
    }
}

/// Waits until something is so that another thread brings about.
private func eventually(_ condition: () -> Bool) async -> Bool {
    let start = ContinuousClock.now
    while !condition() {
        guard start.duration(to: .now) < .seconds(20) else { return false }
        try? await Task.sleep(for: .milliseconds(1))
    }
    return true
}
