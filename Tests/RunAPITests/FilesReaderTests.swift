import JSON
import RunModel
import Testing

@testable import RunAPI

@Suite struct FilesReaderTests {
    private func read(_ text: String, maximum: Int = 1000) throws -> (files: [RunFile], pointers: [String]) {
        var reader = FilesReader(maximum: maximum)
        let files = reader.files(try JSONParser.parse(Array(text.utf8)), JSONPointer.root.appending("files"))
        return (files, reader.faults.map(\.pointer.description))
    }

    @Test func `a file is text or base64, executable or not`() throws {
        let (files, faults) = try read(
            #"{"a": "é", "b/c d": {"base64": "AP8="}, "e": {"base64": "", "executable": true}, "é/f": "", "...": "x"}"#
        )
        #expect(faults.isEmpty)
        #expect(files.map(\.path) == ["a", "b/c d", "e", "é/f", "..."])
        #expect(files.map(\.content) == [.bytes(Array("é".utf8)), [0, 255], [], [], .bytes(Array("x".utf8))])
        #expect(files.map(\.isExecutable) == [false, false, true, false, false])
    }

    @Test(arguments: [
        "", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "a/./b", "../a", "a/..", "a/../b", "a\\u0000b",
    ])
    func `an invalid path is refused`(path: String) throws {
        #expect(try read("{\"\(path)\": \"\"}").pointers.count == 1)
    }

    @Test func `names and paths are limited to the kernel's maxima`() throws {
        let name = String(repeating: "n", count: 255)
        #expect(try read("{\"\(name)\": \"\"}").pointers.isEmpty)
        #expect(try read("{\"\(name)n\": \"\"}").pointers.count == 1)
        let long = Array(repeating: name, count: 15).joined(separator: "/") + "/" + String(repeating: "n", count: 250)
        #expect(long.utf8.count == 4090)
        #expect(try read("{\"\(long)\": \"\"}").pointers.isEmpty)
        #expect(try read("{\"\(long)n\": \"\"}").pointers.count == 1)
    }

    @Test(arguments: [
        (#"{"dir": "", "dir/x": ""}"#, ["/files/dir~1x"]), (#"{"dir/x": "", "dir": ""}"#, ["/files/dir~1x"]),
        (#"{"a": "", "a-b": "", "a.c": "", "a/b/c": ""}"#, ["/files/a~1b~1c"]),
        (#"{"a/b": "", "a/b/c": "", "a/b/c/d": ""}"#, ["/files/a~1b~1c", "/files/a~1b~1c~1d"]),
        (#"{"a": "", "ab": "", "ab/c": "", "b/a": ""}"#, ["/files/ab~1c"]), (#"{"a": "", "ab/c": ""}"#, []),
        (#"{"\u00e9": "", "e\u0301/x": ""}"#, []),
    ])
    func `a file cannot be a directory of another`(text: String, pointers: [String]) throws {
        #expect(try read(text).pointers == pointers)
    }

    @Test(arguments: [
        ("[]", 1), ("null", 1), (#"{"a": 1}"#, 1), (#"{"a": {}}"#, 1), (#"{"a": {"base64": "!"}}"#, 1),
        (#"{"a": {"base64": "", "executable": 1}}"#, 1), (#"{"a": {"base64": "", "mode": 1}}"#, 1),
        (#"{"a": {"executable": true}}"#, 1), (#"{"a": null, "b": true, "/c": ""}"#, 3),
    ])
    func `each invalid file is refused with its position`(text: String, faults: Int) throws {
        #expect(try read(text).pointers.count == faults)
    }

    @Test func `an entry may be a symbolic link, a directory or an archive`() throws {
        let blob = String(repeating: "0", count: 64)
        let (files, faults) = try read(
            #"{"a/l": {"symlink": "../b"}, "d": {"directory": true}, "d/x": "", "t": {"tar": {"blob": "sha256:\#(blob)"}}, "#
                + #""t/x": "", ".": {"tar": {"base64": "AP8="}}}"#
        )
        #expect(faults.isEmpty)
        #expect(
            files == [
                RunFile(path: "a/l", kind: .symbolicLink(target: "../b")), RunFile(path: "d", kind: .directory),
                RunFile(path: "d/x", content: []), RunFile(path: "t", kind: .archive(.blob(sha256: blob))),
                RunFile(path: "t/x", content: []), RunFile(path: ".", kind: .archive([0, 255])),
            ]
        )
    }

    @Test(arguments: [
        ("l", "x"), ("l", "."), ("l", "./x"), ("l", "x/.."), ("l", "x/../y//z/"), ("a/l", ".."), ("a/b/l", "../../x"),
        ("l", "..."), ("l", "..x"),
    ])
    func `a link may stay below box`(path: String, target: String) throws {
        #expect(try read("{\"\(path)\": {\"symlink\": \"\(target)\"}}").pointers.isEmpty)
    }

    @Test(arguments: [
        ("l", ""), ("l", "/"), ("l", "/box/x"), ("l", ".."), ("l", "../box/x"), ("a/l", "../.."), ("a/l", "../../a/x"),
        ("l", "x/../.."), ("l", "x/../../x"), ("l", "./.."), ("l", "a\\u0000b"),
        ("l", String(repeating: "x", count: 4096)),
    ])
    func `a link that does not stay below box is refused`(path: String, target: String) throws {
        let pointer = "/files/" + path.replacing("/", with: "~1") + "/symlink"
        #expect(try read("{\"\(path)\": {\"symlink\": \"\(target)\"}}").pointers == [pointer])
    }

    @Test(arguments: [
        (#"{"a": {"symlink": 1}}"#, ["/files/a/symlink"]), (#"{"a": {"directory": false}}"#, ["/files/a/directory"]),
        (#"{"a": {"symlink": "b", "executable": true}}"#, ["/files/a/executable"]),
        (#"{"a": {"directory": true, "base64": ""}}"#, ["/files/a/base64"]),
        (#"{"a": {"tar": {"blob": "x"}}}"#, ["/files/a/tar/blob"]), (#"{"a": {"tar": 1}}"#, ["/files/a/tar"]),
        (#"{".": {"directory": true}}"#, ["/files/."]), (#"{".": {"symlink": "x"}}"#, ["/files/."]),
        (#"{"..": {"tar": ""}}"#, ["/files/.."]), (#"{"l": {"symlink": "d"}, "l/x": ""}"#, ["/files/l~1x"]),
        (#"{"l": {"symlink": "d"}, "l/x": {"directory": true}, "l/x/y": ""}"#, ["/files/l~1x", "/files/l~1x~1y"]),
        (#"{"l": {"symlink": "d"}, "l/x": {"symlink": "y"}}"#, ["/files/l~1x"]),
        (#"{"f": "", "f/t": {"tar": ""}}"#, ["/files/f~1t"]),
    ])
    func `each invalid entry is refused with its position`(text: String, pointers: [String]) throws {
        #expect(try read(text).pointers == pointers)
    }

    @Test func `too many files are refused`() throws {
        #expect(try read(#"{"a": "", "b": ""}"#, maximum: 2).pointers.isEmpty)
        #expect(try read(#"{"a": "", "b": "", "c": ""}"#, maximum: 2).pointers == ["/files"])
    }

    @Test func `a thousand long paths are checked quickly`() throws {
        let deep = String(repeating: "a/", count: 2000)
        let members = (0..<1000).map { "\"\(deep)\($0)\": \"\"" }.joined(separator: ",")
        #expect(try read("{\(members)}").pointers.isEmpty)
    }
}

@Suite struct ArtifactsReaderTests {
    private func read(_ text: String, maximum: Int = 100) throws -> (patterns: [String], pointers: [String]) {
        var reader = ArtifactsReader(maximum: maximum)
        let patterns = reader.patterns(try JSONParser.parse(Array(text.utf8)), JSONPointer.root.appending("artifacts"))
        return (patterns.map(\.text), reader.faults.map(\.pointer.description))
    }

    @Test func `patterns keep their order`() throws {
        let (patterns, faults) = try read(#"["out/**", "*.xml", "é?"]"#)
        #expect(patterns == ["out/**", "*.xml", "é?"])
        #expect(faults.isEmpty)
        #expect(try read("[]").pointers.isEmpty)
    }

    @Test func `each fault has the pointer of its pattern`() throws {
        #expect(try read(#"["a", 1, "/b", null, "["]"#).pointers == (1...4).map { "/artifacts/\($0)" })
        for text in ["{}", "\"a\"", "null", "1"] { #expect(try read(text).pointers == ["/artifacts"]) }
        #expect(try read(#"["a", "b", "c"]"#, maximum: 2).pointers == ["/artifacts"])
    }
}
