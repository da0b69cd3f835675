import Foundation
import Glibc
import System
import TestSupport
import Testing

/// Archives among the input files of a run: `{"tar": …}`.
struct ArchiveTests {
    private func files(_ archive: [UInt8], at path: String = ".") -> [String: Any] {
        [path: ["tar": ["base64": Data(archive).base64EncodedString()]]]
    }

    private func put(_ bytes: [UInt8], to server: ServerProcess) throws -> String {
        let name = "sha256:\(SHA256Digest(of: bytes).hexadecimal)"
        let client = try server.client()
        try client.request("PUT", "/blobs/\(name)", body: bytes)
        let response = try client.response()
        try #require(response.status == 201 || response.status == 204, "\(response.text)")
        return name
    }

    @Test(arguments: TarArchive.Format.allCases)
    func `an archive is unpacked as the run's own files`(format: TarArchive.Format) throws {
        var archive = TarArchive(format)
        archive.add("./", "5")
        archive.add("./a", "0", Array("text\n".utf8), mode: "0000400")
        archive.add("run", "\0", Array("#!/bin/sh\necho ran\n".utf8), mode: "0104711")
        archive.add("d/e/", "5", mode: "0000000")
        archive.add("d//./f", "7", [UInt8](repeating: 120, count: 100_000))
        archive.add("d/l", "2", link: "../a")
        archive.add("hard", "1", link: "./d/f")
        let script = """
            cat a; ./run; readlink d/l; cat d/l; wc -c < d/f; ls d/e
            stat -c '%a %u %g %h %F %n' a run d d/e d/f hard; touch -c -d @0 a; echo more >> a; rm -r d
            """
        try withServer { server in
            let expected = """
                text
                ran
                ../a
                text
                100000
                644 1000 1000 1 regular file a
                755 1000 1000 1 regular file run
                755 1000 1000 3 directory d
                755 1000 1000 2 directory d/e
                644 1000 1000 2 regular file d/f
                644 1000 1000 2 regular file hard

                """
            let run = try server.shell(script, ["files": files(archive.complete)])
            #expect(run.stderr.text == "")
            #expect(
                run.stdout.text.replacing(#/\d directory/#, with: "directory")
                    == expected.replacing(#/\d directory/#, with: "directory")
            )
            // A link of the archive may leave the directory in which the archive is unpacked, but not /box.
            let below = try server.shell("cd x/y; \(script)", ["files": files(archive.complete, at: "x/y")])
            #expect(below.stderr.text == "")
            #expect(below.stdout.text == run.stdout.text)
        }
    }

    @Test func `long and foreign names arrive whole in every format`() throws {
        let long = (0..<8).map { String(repeating: "\($0)", count: 200) }.joined(separator: "/")
        let target = String(repeating: "t", count: 300)
        var pax = TarArchive(.posix)
        pax.addPax([("comment", "of a commit")], type: "g")
        pax.addPax([("mtime", "1.5"), ("path", long), ("SCHILY.xattr.user.x", "a\u{0}b\n=")])
        pax.add("cut", "0", Array("long".utf8))
        pax.addPax([("linkpath", target), ("path", "lé\n")])
        pax.add("cut", "2", link: "cut")
        pax.addPax([("size", "3")])
        pax.add("sized", "0", Array("abc".utf8), size: "00000000000")
        var gnu = TarArchive(.gnu)
        gnu.add("././@LongLink", "L", Array(long.utf8) + [0])
        gnu.add("cut", "0", Array("long".utf8))
        gnu.add("././@LongLink", "K", Array(target.utf8) + [0])
        gnu.add("././@LongLink", "L", Array("lé\n\u{0}".utf8))
        gnu.add("cut", "2", link: "cut")
        gnu.add("sized", "0", Array("abc".utf8))
        var split = TarArchive(.posix)
        split.add(
            String(repeating: "n", count: 100),
            "0",
            Array("long".utf8),
            prefix: String(repeating: "p", count: 155)
        )
        try withServer { server in
            for archive in [pax, gnu] {
                let run = try server.run(
                    ["sh", "-c", "cat \"$0\" sized; readlink 'lé\n'", long],
                    ["files": files(archive.complete)]
                )
                #expect(run.stdout.text == "longabc\(target)\n", "\(run.stderr.text) \(String(describing: run.error))")
            }
            let run = try server.shell("cat p*/n*", ["files": files(split.complete)])
            #expect(run.stdout.text == "long")
        }
    }

    @Test func `archives and files can be combined`() throws {
        var first = TarArchive()
        first.add("d/a", "0", Array("1".utf8))
        var second = TarArchive()
        second.add("b", "0", Array("2".utf8))
        try withServer { server in
            let blob = try put(first.complete, to: server)
            let entries: [String: Any] = [
                ".": ["tar": ["blob": blob]], "d": ["tar": ["base64": Data(second.complete).base64EncodedString()]],
                "d/c": "3", "copy": ["tar": ["blob": blob]], "d/l": ["symlink": "a"], "archive": ["blob": blob],
                "none": ["tar": ["base64": Data(count: 1024).base64EncodedString()]],
            ]
            let run = try server.shell("cat d/a d/b d/c d/l copy/d/a; wc -c < archive; ls none", ["files": entries])
            #expect(run.stdout.text == "12311\(first.complete.count)\n", "\(run.stderr.text)")
        }
    }

    @Test func `a queued run keeps its archive over a kill of the server`() throws {
        var archive = TarArchive()
        archive.add("a", "0", Array("unpacked".utf8))
        let directory = try TemporaryDataDirectory()
        let first = try directory.server("--concurrency", "1")
        _ = try first.submit(["sleep", Marker.nap()])
        let blob = try put(archive.complete, to: first)
        let queued = try first.submit(["cat", "x/a"], ["files": ["x": ["tar": ["blob": blob]]]])
        try first.kill()
        let second = try directory.server("--concurrency", "1")
        #expect(try second.finished(queued).stdout.text == "unpacked")
        try second.stop()
    }

    // MARK: Refusals

    /// An invalid archive, with the number of the entry that is refused.
    private struct Refused {
        let name: String
        let archive: [UInt8]
        let errno: String
        let entry: Int

        init(_ name: String, _ archive: [UInt8], _ errno: String, _ entry: Int) {
            (self.name, self.archive, self.errno, self.entry) = (name, archive, errno, entry)
        }
    }

    private static func refused() -> [Refused] {
        func archive(_ format: TarArchive.Format = .posix, _ add: (inout TarArchive) -> Void) -> [UInt8] {
            var archive = TarArchive(format)
            archive.add("first", "0", [1])
            add(&archive)
            return archive.complete
        }
        let valid = archive { $0.add("x", "0", [UInt8](repeating: 7, count: 1000)) }
        var flipped = valid
        flipped[1024] ^= 1
        var trailing = valid
        trailing[trailing.count - 1] = 1
        var cases: [Refused] = [
            Refused("empty", [], "EBADMSG", 1), Refused("text", [UInt8](repeating: 65, count: 2048), "EBADMSG", 1),
            Refused("half a block", Array(valid.prefix(256)), "EBADMSG", 1),
            Refused("flipped bit", flipped, "EBADMSG", 2),
            Refused("no end", Array(valid.prefix(2560)), "EBADMSG", 3),
            Refused("truncated content", Array(valid.prefix(2136)), "EBADMSG", 2),
            Refused("bytes after the end", trailing, "EBADMSG", 3),
        ]
        func refuse(
            _ name: String,
            _ errno: String,
            entry: Int = 2,
            _ format: TarArchive.Format = .posix,
            _ add: (inout TarArchive) -> Void
        ) {
            cases.append(Refused(name, archive(format, add), errno, entry))
        }
        refuse("giant", "EBADMSG") { $0.add("x", "0", size: "77777777777") }
        refuse("no number", "EBADMSG") { $0.add("x", "0", size: "12x") }
        refuse("link with content", "EBADMSG") { $0.add("x", "2", [1], link: "y") }
        refuse("name that ends in a slash", "EBADMSG") { $0.add("x/", "0", [1]) }
        refuse("existing file", "EEXIST") { $0.add("first", "0", [2]) }
        refuse("directory in place of a file", "EEXIST") { $0.add("first", "5") }
        refuse("link in place of a file", "EEXIST") { $0.add("first", "2", link: "x") }
        refuse("below a file", "ENOTDIR") { $0.add("first/x", "0", [2]) }
        refuse("through a link", "ENOTDIR", entry: 4) {
            $0.add("l", "2", link: "d")
            $0.add("d", "5")
            $0.add("l/x", "0", [2])
        }
        refuse("directory in place of a link", "EEXIST", entry: 4) {
            $0.add("d", "5")
            $0.add("l", "2", link: "d")
            $0.add("l", "5")
        }
        refuse("hard link to nothing", "ENOENT") { $0.add("h", "1", link: "x") }
        refuse("hard link outside", "EINVAL") { $0.add("h", "1", link: "../etc/passwd") }
        refuse("absolute hard link", "EINVAL") { $0.add("h", "1", link: "/etc/passwd") }
        refuse("hard link to a link", "EINVAL", entry: 3) {
            $0.add("d/l", "2", link: "../x")
            $0.add("h", "1", link: "d/l")
        }
        for (name, count) in [("long part", 256), ("long path", 5000)] {
            refuse(name, "ENAMETOOLONG", .gnu) {
                $0.add("L", "L", [UInt8](repeating: 120, count: count) + [0])
                $0.add("x")
            }
        }
        let headers = [
            ("NUL in a path", "EINVAL", "path", "a\u{0}b"), ("sparse", "EOPNOTSUPP", "GNU.sparse.major", "1"),
            ("size that is no number", "EBADMSG", "size", "-1"),
        ]
        for (name, errno, key, value) in headers {
            refuse(name, errno) {
                $0.addPax([(key, value)])
                $0.add("x")
            }
        }
        refuse("pax without an entry", "EBADMSG") { $0.addPax([("path", "a")]) }
        refuse("broken pax", "EBADMSG") { $0.add("pax", "x", Array("99 path=a\n".utf8)) }
        refuse("path of all entries", "EBADMSG") { $0.addPax([("path", "a")], type: "g") }
        for path in ["/x", "../x", "d/../../x", "d/..", "..", "", "/box/x"] {
            refuse("path '\(path)'", "EINVAL") { $0.add(path, "0", [1]) }
        }
        for target in ["/etc/passwd", "..", "../..", "x/../../y", ""] {
            refuse("target '\(target)'", "EINVAL") { $0.add("l", "2", link: target) }
        }
        for type in "346SDMVAZ" { refuse("type \(type)", "EOPNOTSUPP") { $0.add("x", type) } }
        return cases
    }

    @Test func `every invalid archive fails the start with its entry`() throws {
        try withServer { server in
            for refused in Self.refused() {
                let (name, errno, entry) = (refused.name, refused.errno, refused.entry)
                let run = try server.run(["true"], ["files": files(refused.archive)])
                #expect(run.end == .startFailed, "\(name)")
                #expect(run.error?.step == "files", "\(name)")
                #expect(run.error?.errno == errno, "\(name): \(run.error?.detail ?? "")")
                #expect(run.error?.detail.contains("entry \(entry)") == true, "\(name): \(run.error?.detail ?? "")")
                #expect(run.error?.detail.contains("(/box)") == true, "\(name)")
            }
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `an archive beyond the disk limit fails the start`() throws {
        var archive = TarArchive()
        archive.add("fits", "0", [1])
        archive.add("large", "0", [UInt8](repeating: 1, count: 200_000))
        try withServer { server in
            let members: [String: Any] = ["files": files(archive.complete, at: "x"), "limits": ["diskBytes": 65536]]
            let run = try server.run(["true"], members)
            #expect(run.end == .startFailed)
            #expect(run.error?.errno == "ENOSPC")
            #expect(run.error?.detail.contains("diskBytes") == true)
            #expect(run.error?.detail.contains("(x)") == true)
        }
    }

    @Test func `a hundred thousand entries are unpacked, and one more is refused`() throws {
        var archive = TarArchive()
        for number in 0..<100_000 { archive.add("d\(number / 1000)/f\(number)", "0", [65]) }
        try withServer { server in
            let blob = try put(archive.complete, to: server)
            let limits = ["diskBytes": 1 << 30, "memoryBytes": 2 << 30]
            let run = try server.run(
                ["sh", "-c", "find . -type f | wc -l; cat d99/f99999"],
                ["files": [".": ["tar": ["blob": blob]]], "limits": limits, "timeoutSeconds": 60]
            )
            #expect(run.stdout.text == "100000\nA", "\(String(describing: run.error))")
            // The time of the unpacking is not the command's.
            #expect(run.usage.map { $0.wallSeconds < 5 } == true)
            archive.add("one more", "0", [65])
            let more = try put(archive.complete, to: server)
            let refused = try server.run(["true"], ["files": [".": ["tar": ["blob": more]]], "limits": limits])
            #expect(refused.end == .startFailed)
            #expect(refused.error?.errno == "E2BIG")
            #expect(refused.error?.detail.contains("100000") == true)
        }
    }
}
