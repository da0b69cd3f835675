import JSON
import RunModel
import Testing

@testable import RunAPI

@Suite struct CreateRunFaultTests {
    @Test(arguments: [
        (#"{}"#, "/command"),
        (#"[]"#, ""),
        (#"null"#, ""),
        (#"{"command": []}"#, "/command"),
        (#"{"command": "echo"}"#, "/command"),
        (#"{"command": null}"#, "/command"),
        (#"{"command": [""]}"#, "/command/0"),
        (#"{"command": ["x", 1]}"#, "/command/1"),
        (#"{"command": ["x", "a\u0000b"]}"#, "/command/1"),
        (#"{"command": ["x\u0000"]}"#, "/command/0"),
        (#"{"command": ["x"], "env": []}"#, "/env"),
        (#"{"command": ["x"], "env": {"A": 1}}"#, "/env/A"),
        (#"{"command": ["x"], "env": {"A": "\u0000"}}"#, "/env/A"),
        (#"{"command": ["x"], "env": {"": "1"}}"#, "/env/"),
        (#"{"command": ["x"], "env": {"A=B": "1"}}"#, "/env/A=B"),
        (#"{"command": ["x"], "env": {"a/b~c=": "1"}}"#, "/env/a~1b~0c="),
        (#"{"command": ["x"], "workingDirectory": "box"}"#, "/workingDirectory"),
        (#"{"command": ["x"], "workingDirectory": ""}"#, "/workingDirectory"),
        (#"{"command": ["x"], "workingDirectory": "/a\u0000"}"#, "/workingDirectory"),
        (#"{"command": ["x"], "workingDirectory": null}"#, "/workingDirectory"),
        (#"{"command": ["x"], "stdin": 1}"#, "/stdin"),
        (#"{"command": ["x"], "stdin": null}"#, "/stdin"),
        (#"{"command": ["x"], "stdin": {}}"#, "/stdin"),
        (#"{"command": ["x"], "stdin": {"base64": "AA==", "x": 1}}"#, "/stdin/x"),
        (#"{"command": ["x"], "stdin": {"base64": "AA=", "base6": ""}}"#, "/stdin/base64 /stdin/base6"),
        (#"{"command": ["x"], "labels": {"a:b": ""}}"#, "/labels/a:b"),
        (#"{"command": ["x"], "labels": {"a:\u0301b": ""}}"#, "/labels/a:\u{301}b"),
        (#"{"command": ["x"], "labels": {"\u0000": ""}}"#, "/labels/\0"),
        (#"{"command": ["x"], "env": {"A=\u0301": ""}}"#, "/env/A=\u{301}"),
        (#"{"command": ["x"], "stdin": {"base64": "AA"}}"#, "/stdin/base64"),
        (#"{"command": ["x"], "stdin": {"base64": 1}}"#, "/stdin/base64"),
        (#"{"command": ["x"], "stdin": {"blob": "sha256:00"}}"#, "/stdin/blob"),
        (#"{"command": ["x"], "onOutputLimit": "Kill"}"#, "/onOutputLimit"),
        (#"{"command": ["x"], "onOutputLimit": null}"#, "/onOutputLimit"),
        (#"{"command": ["x"], "keepOutput": "end"}"#, "/keepOutput"),
        (#"{"command": ["x"], "limits": {"cpus": 0}}"#, "/limits/cpus"),
        (#"{"command": ["x"], "limits": {"cpus": 0.09}}"#, "/limits/cpus"),
        (#"{"command": ["x"], "limits": {"cpus": -1}}"#, "/limits/cpus"),
        (#"{"command": ["x"], "limits": {"cpus": "1"}}"#, "/limits/cpus"),
        (#"{"command": ["x"], "limits": {"cpus": 1e999}}"#, "/limits/cpus"),
        (#"{"command": ["x"], "keepOutput": true}"#, "/keepOutput"),
        (#"{"command": ["x"], "image": "python"}"#, "/image"),
        (#"{"command": ["x"], "image": null}"#, "/image"),
        (#"{"command": ["x"], "network": "host"}"#, "/network"),
        (#"{"command": ["x"], "network": null}"#, "/network"),
        (#"{"command": ["x"], "limits": []}"#, "/limits"),
        (#"{"command": ["x"], "limits": {"surprise": 1}}"#, "/limits/surprise"),
        (#"{"command": ["x"], "surprise": 1}"#, "/surprise"),
        (#"{"command": ["x"], "Command": ["y"]}"#, "/Command"),
    ])
    func `a fault has the pointer of its member`(body: String, pointer: String) {
        #expect(pointers(body).joined(separator: " ") == pointer)
        #expect(problem(body)?.status == 422)
    }

    @Test(arguments: ["artifacts", "labels", "files", "stdin"])
    func `a member that is null is refused and not ignored`(name: String) {
        #expect(pointers(#"{"command": ["x"], "\#(name)": null}"#) == ["/\(name)"])
    }

    @Test(arguments: [
        ("cpuSeconds", ["0", "-1", "14400.1", "\"1\"", "null"]),
        ("memoryBytes", ["0", "1048575", "1048576.5", "68719476737", "null"]),
        ("processes", ["0", "-1", "8193", "1.5", "[]"]),
        ("diskBytes", ["0", "4095", "68719476737", "\"1M\""]),
        ("openFiles", ["2", "65537", "1e400"]),
    ])
    func `a limit outside the server's range is refused and not clamped`(name: String, values: [String]) {
        for value in values {
            #expect(
                pointers(#"{"command": ["x"], "limits": {"\#(name)": \#(value)}}"#) == ["/limits/\(name)"],
                "\(value)"
            )
        }
    }

    @Test func `all faults are reported at once, in the order of the body`() {
        let body = #"""
            {"timeoutSeconds": 0, "env": {"A": 1, "=": "x"}, "limits": {"outputBytes": -1, "surprise": 2},
             "stdin": {"base64": "?"}, "onOutputLimit": 1, "graceSeconds": "1", "surprise": {}, "command": [1, "\u0000"]}
            """#
        #expect(
            pointers(body) == [
                "/timeoutSeconds", "/env/A", "/env/=", "/limits/outputBytes", "/limits/surprise", "/stdin/base64",
                "/onOutputLimit", "/graceSeconds", "/surprise", "/command/0", "/command/1",
            ]
        )
    }

    @Test func `a command with too many elements is one fault`() {
        let elements = [String](repeating: "1", count: 1025).joined(separator: ",")
        #expect(pointers(#"{"command": [\#(elements)]}"#) == ["/command"])
    }

    @Test(arguments: [
        "", " ", "{", #"{"command": ["x"],}"#, #"{"command": ["x"]} x"#, "{'command': ['x']}", "\u{FEFF}{}",
    ])
    func `a body that is not JSON gets 400`(body: String) {
        #expect(problem(body)?.status == 400)
        #expect(problem(body)?.faults.count == 1)
    }

    @Test func `a duplicate member gets 400 and a pointer`() {
        let body = #"{"command": ["x"], "env": {"A": "1", "\u0041": "2"}, "command": ["y"]}"#
        #expect(problem(body)?.status == 400)
        #expect(pointers(body) == ["/env/A", "/command"])
    }

    @Test func `the other faults of a body with duplicate members are reported too`() {
        let body = #"{"command": ["x"], "surprise": 1, "env": {"A": "1", "A": 2}, "timeoutSeconds": 0}"#
        #expect(problem(body)?.status == 400)
        #expect(pointers(body) == ["/env/A", "/surprise", "/env/A", "/timeoutSeconds"])
    }

    @Test func `the faults in a duplicate member's value are reported`() {
        #expect(pointers(#"{"command": ["x"], "command": [1]}"#) == ["/command", "/command/0"])
        #expect(pointers(#"{"command": ["x"], "labels": {"a": "1", "a": "2"}}"#) == ["/labels/a"])
        let names = #"{"\u00e9": "1", "\u00e9": "2", "e\u0301": "3"}"#
        #expect(
            pointers(#"{"command": ["x"], "env": \#(names)}"#).map { Array($0.unicodeScalars) } == [
                Array("/env/\u{E9}".unicodeScalars), Array("/env/e\u{301}".unicodeScalars),
            ]
        )
    }

    @Test func `text that is not UTF-8 gets 400`() {
        let body = Array(#"{"command": [""#.utf8) + [0xFF] + Array(#""]}"#.utf8)
        #expect(throws: ProblemDocument.self) { try CreateRunDecoder.decode(body, maxima: RequestLimits()) }
    }

    @Test func `a string that the kernel cannot pass to a program is refused`() {
        let longest = String(repeating: "x", count: 131_071)
        #expect(problem("{\"command\": [\"x\", \"\(longest)\"]}") == nil)
        #expect(problem("{\"command\": [\"x\", \"\(longest)y\"]}")?.faults.map(\.pointer.description) == ["/command/1"])
        let value = longest.dropLast(2)
        #expect(problem("{\"command\": [\"x\"], \"env\": {\"A\": \"\(value)\"}}") == nil)
        #expect(
            problem("{\"command\": [\"x\"], \"env\": {\"A\": \"\(value)y\"}}")?.faults.map(\.pointer.description)
                == ["/env/A"]
        )
    }

    @Test func `an unknown member is called unknown`() {
        for body in [#"{"command": ["x"], "surprise": 1}"#, #"{"command": ["x"], "limits": {"surprise": 1}}"#] {
            #expect(problem(body)?.faults.map(\.detail) == ["unknown member"])
        }
    }
}
