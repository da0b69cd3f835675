import Glibc
import Runs
import TestSupport
import Testing

@testable import Store

@Suite struct OutputRecorderTests {
    @Test(arguments: [0, 1, 8191, 8192])
    func `a little output stays in memory`(count: Int) throws {
        let folder = try ScratchFolder()
        let recorder = OutputRecorder(path: folder.path + "/out")
        let bytes = [UInt8](repeating: 5, count: count)
        bytes.withUnsafeBytes { recorder.append($0) }
        #expect(recorder.captured(totalBytes: count) == CapturedOutput(content: .bytes(bytes), totalBytes: count))
        #expect(!ScratchFolder.exists(folder.path + "/out"))
    }

    @Test func `more output goes to a file, from its beginning`() throws {
        let folder = try ScratchFolder()
        let path = folder.path + "/out"
        let recorder = OutputRecorder(path: path)
        var all: [UInt8] = []
        for part in [1, 8000, 191, 1, 100_000, 3] {
            let bytes = (0..<part).map { _ in UInt8.random(in: 0...255) }
            bytes.withUnsafeBytes { recorder.append($0) }
            all += bytes
            #expect(recorder.captured(totalBytes: all.count).keptBytes == all.count)
        }
        #expect(recorder.captured(totalBytes: all.count).content == .file(path: path, count: all.count))
        #expect(ScratchFolder.contents(of: path) == all)
        #expect(recorder.failure == nil)
    }

    @Test func `one large part goes to the file at once`() throws {
        let folder = try ScratchFolder()
        let recorder = OutputRecorder(path: folder.path + "/out")
        recorder.append(count: 8193)
        #expect(recorder.captured(totalBytes: 8193).content == .file(path: folder.path + "/out", count: 8193))
    }

    @Test func `what was dropped before it counts as written`() throws {
        let folder = try ScratchFolder()
        let recorder = OutputRecorder(path: folder.path + "/out")
        recorder.append(count: 10)
        #expect(recorder.captured(totalBytes: 11).truncated)
    }

    @Test func `a file that is there already is not touched`() throws {
        let folder = try ScratchFolder()
        let path = try folder.makeFile("out", "somebody else's")
        let recorder = OutputRecorder(path: path)
        recorder.append(count: 10)
        recorder.append(count: 9000)
        #expect(recorder.failure?.operation == "open")
        #expect(recorder.failure?.number == EEXIST)
        #expect(ScratchFolder.contents(of: path) == Array("somebody else's".utf8))
        // What came before is kept.
        #expect(recorder.captured(totalBytes: 9010).keptBytes == 10)
    }

    @Test func `a link is not followed`() throws {
        let folder = try ScratchFolder()
        let target = try folder.makeFile("target", "untouched")
        #expect(symlink(target, folder.path + "/out") == 0)
        let recorder = OutputRecorder(path: folder.path + "/out")
        recorder.append(count: 9000)
        #expect(recorder.failure != nil)
        #expect(ScratchFolder.contents(of: target) == Array("untouched".utf8))
    }

    @Test func `after a failure nothing more is kept`() throws {
        let recorder = OutputRecorder(path: "/does/not/exist")
        recorder.append(count: 9000)
        recorder.append(count: 1)
        #expect(recorder.failure?.number == ENOENT)
        #expect(recorder.captured(totalBytes: 9001) == CapturedOutput(content: .bytes([]), totalBytes: 9001))
    }

    @Test func `the file is for this service's user alone`() throws {
        let folder = try ScratchFolder()
        let recorder = OutputRecorder(path: folder.path + "/out")
        recorder.append(count: 9000)
        var status = stat()
        #expect(stat(folder.path + "/out", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }
}

extension OutputRecorder {
    func append(count: Int) {
        [UInt8](repeating: 7, count: count).withUnsafeBytes { append($0) }
    }
}

extension OutputRecorderTests {
    @Test func `what is kept can be read from any offset, in memory and in a file`() throws {
        let folder = try ScratchFolder()
        let recorder = OutputRecorder(path: folder.path + "/out")
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
}
