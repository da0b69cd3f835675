import Glibc
import RunModel
import TestSupport
import Testing

@testable import Store

@Suite struct OutputRecorderTests {
    @Test(arguments: [0, 1, 8191, 8192])
    func `output up to 8 KiB stays in memory`(count: Int) throws {
        let directory = try ScratchDirectory()
        let recorder = OutputRecorder(path: directory.path + "/out")
        let bytes = [UInt8](repeating: 5, count: count)
        bytes.withUnsafeBytes { recorder.append($0) }
        #expect(recorder.captured(totalBytes: count) == CapturedOutput(content: .bytes(bytes), totalBytes: count))
        #expect(!ScratchDirectory.exists(directory.path + "/out"))
    }

    @Test func `larger output goes to a file as a whole`() throws {
        let directory = try ScratchDirectory()
        let path = directory.path + "/out"
        let recorder = OutputRecorder(path: path)
        var all: [UInt8] = []
        for part in [1, 8000, 191, 1, 100_000, 3] {
            let bytes = (0..<part).map { _ in UInt8.random(in: 0...255) }
            bytes.withUnsafeBytes { recorder.append($0) }
            all += bytes
            #expect(recorder.captured(totalBytes: all.count).keptBytes == all.count)
        }
        #expect(recorder.captured(totalBytes: all.count).content == .file(path: path, count: all.count))
        #expect(ScratchDirectory.contents(of: path) == all)
        #expect(recorder.failure == nil)
    }

    @Test func `a single large write goes to the file directly`() throws {
        let directory = try ScratchDirectory()
        let recorder = OutputRecorder(path: directory.path + "/out")
        recorder.append(count: 8193)
        #expect(recorder.captured(totalBytes: 8193).content == .file(path: directory.path + "/out", count: 8193))
    }

    @Test func `output that was dropped counts as written`() throws {
        let directory = try ScratchDirectory()
        let recorder = OutputRecorder(path: directory.path + "/out")
        recorder.append(count: 10)
        #expect(recorder.captured(totalBytes: 11).truncated)
    }

    // MARK: Kept parts

    @Test(arguments: [KeepOutput.head, .tail, .both], [0, 1, 7, 9000, 20_000, 100_000])
    func `the kept part is the same for every size of the writes`(keep: KeepOutput, limit: Int) throws {
        let all = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        for size in [1_000, 8_192, 65_537, 700_000] {
            let directory = try ScratchDirectory()
            let path = directory.path + "/out"
            let recorder = OutputRecorder(path: path, keeping: keep, limit: limit)
            // The execution drops what is beyond the limit if only the beginning is kept.
            let written = keep == .head ? Array(all.prefix(limit)) : all
            for start in stride(from: 0, to: written.count, by: size) {
                written[start..<min(start + size, written.count)].withUnsafeBytes { recorder.append($0) }
            }
            #expect(recorder.failure == nil)
            let output = recorder.captured(totalBytes: all.count)
            let head = keep == .head ? limit : keep == .tail ? 0 : limit - limit / 2
            #expect(output.headBytes == head)
            #expect(output.keptBytes == limit)
            #expect(output.cut == head..<head + all.count - limit)
            #expect(output.readable(from: 0) == (limit == 0 ? 0..<0 : head > 0 ? 0..<head : output.tail))
            // The recorder reads what it keeps and some more, each byte at its offset.
            var offset = 0
            var read = 0
            while case let part = recorder.readable(from: offset), !part.isEmpty {
                var buffer = [UInt8](repeating: 0, count: min(part.count, 4000))
                let result = buffer.withUnsafeMutableBytes { recorder.read(at: part.lowerBound, into: $0) }
                let count = try #require(result)
                try #require(buffer.prefix(count) == all[part.lowerBound..<part.lowerBound + count])
                offset = part.lowerBound + count
                read += count
            }
            #expect(offset == written.count)
            #expect(read >= min(written.count, limit + (keep == .head ? 0 : 256 << 10)))
            if case .file = output.content {
                var status = stat()
                try #require(stat(path, &status) == 0)
                #expect(status.st_size == written.count)
                #expect(Int(status.st_blocks) * 512 <= limit + (512 << 10) + 3 * 4096)
            }
        }
    }

    @Test func `output beyond the limit can be read for a while`() throws {
        let directory = try ScratchDirectory()
        let recorder = OutputRecorder(path: directory.path + "/out", keeping: .head, limit: 10)
        recorder.append(count: 10)
        let excess = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        func read(_ offset: Int) -> [UInt8] {
            let part = recorder.readable(from: offset)
            return [UInt8](unsafeUninitializedCapacity: part.count) { buffer, count in
                count = recorder.read(at: part.lowerBound, into: UnsafeMutableRawBufferPointer(buffer)) ?? 0
            }
        }
        for start in stride(from: 0, to: excess.count, by: 10_000) {
            excess[start..<start + 10_000].withUnsafeBytes { recorder.appendExcess($0, at: 10 + start) }
            #expect(recorder.endOffset == 10 + start + 10_000)
            #expect(read(10 + start) == Array(excess[start..<start + 10_000]))
        }
        // The oldest bytes are gone, and the last 256 KiB are there.
        let readable = recorder.readable(from: 10)
        #expect(readable.upperBound == 1_000_010)
        #expect(256 << 10...512 << 10 ~= readable.count)
        #expect(read(10) == Array(excess.suffix(readable.count)))
        #expect(recorder.readable(from: 3) == 3..<10)
        // Bytes that nobody took leave a gap.
        [1, 2, 3].map(UInt8.init).withUnsafeBytes { recorder.appendExcess($0, at: 2_000_000) }
        #expect(recorder.readable(from: 10) == 2_000_000..<2_000_003)
        #expect(recorder.captured(totalBytes: 2_000_003).keptBytes == 10)
    }

    @Test func `an existing file is not changed`() throws {
        let directory = try ScratchDirectory()
        let path = try directory.makeFile("out", "somebody else's")
        let recorder = OutputRecorder(path: path)
        recorder.append(count: 10)
        recorder.append(count: 9000)
        #expect(recorder.failure?.operation == "open")
        #expect(recorder.failure?.number == EEXIST)
        #expect(ScratchDirectory.contents(of: path) == Array("somebody else's".utf8))
        // The earlier output is kept.
        #expect(recorder.captured(totalBytes: 9010).keptBytes == 10)
    }

    @Test func `a symbolic link is not followed`() throws {
        let directory = try ScratchDirectory()
        let target = try directory.makeFile("target", "untouched")
        #expect(symlink(target, directory.path + "/out") == 0)
        let recorder = OutputRecorder(path: directory.path + "/out")
        recorder.append(count: 9000)
        #expect(recorder.failure != nil)
        #expect(ScratchDirectory.contents(of: target) == Array("untouched".utf8))
    }

    @Test func `after a failure no more output is kept`() throws {
        let recorder = OutputRecorder(path: "/does/not/exist")
        recorder.append(count: 9000)
        recorder.append(count: 1)
        #expect(recorder.failure?.number == ENOENT)
        #expect(recorder.captured(totalBytes: 9001) == CapturedOutput(content: .bytes([]), totalBytes: 9001))
    }

    @Test func `only the user of the server can read the file`() throws {
        let directory = try ScratchDirectory()
        let recorder = OutputRecorder(path: directory.path + "/out")
        recorder.append(count: 9000)
        var status = stat()
        #expect(stat(directory.path + "/out", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func `recorded output can be read from any offset, in memory and in a file`() throws {
        let directory = try ScratchDirectory()
        let recorder = OutputRecorder(path: directory.path + "/out")
        var all: [UInt8] = []
        for part in [1, 8000, 191, 100_000] {
            let bytes = (0..<part).map { _ in UInt8.random(in: 0...255) }
            bytes.withUnsafeBytes { recorder.append($0) }
            all += bytes
            #expect(recorder.count == all.count)
            for offset in [0, 1, all.count / 2, all.count - 1, all.count, all.count + 1] {
                var read = [UInt8](repeating: 0, count: 1000)
                let count = try #require(read.withUnsafeMutableBytes { recorder.read(at: offset, into: $0) })
                #expect(read.prefix(count) == all.dropFirst(offset).prefix(1000))
            }
        }
    }

    // MARK: Full disk

    @Test(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
    func `on a full disk the output that fits is kept and the failure is reported`() async throws {
        try await withSmallDisk(size: "64k") { directory in
            let recorder = OutputRecorder(path: directory + "/out")
            recorder.append(count: 9000)
            recorder.append(count: 1 << 20)
            let kept = recorder.captured(totalBytes: 9000 + 1 << 20)
            #expect(recorder.failure?.operation == "write")
            #expect(recorder.failure?.number == ENOSPC)
            #expect(kept.truncated)
            #expect((9000...65_536).contains(kept.keptBytes))
            #expect(ScratchDirectory.contents(of: directory + "/out")?.count == kept.keptBytes)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root can mount a small file system"))
    func `on a full disk the output in memory is kept`() async throws {
        try await withSmallDisk(size: "64k") { directory in
            let filler = OutputRecorder(path: directory + "/filler")
            filler.append(count: 1 << 20)
            let recorder = OutputRecorder(path: directory + "/out")
            recorder.append(count: 8192)
            recorder.append(count: 8192)
            #expect(recorder.failure?.number == ENOSPC)
            #expect(recorder.captured(totalBytes: 16_384).keptBytes >= 8192)
        }
    }
}

extension OutputRecorder {
    func append(count: Int) {
        [UInt8](repeating: 7, count: count).withUnsafeBytes { append($0) }
    }
}
