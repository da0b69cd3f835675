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
