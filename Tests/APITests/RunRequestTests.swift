import JSON
import Runs
import Testing

@testable import API

@Suite struct RunRequestTests {
    @Test func `a command is all that a run needs`() throws {
        let run = try decode(#"{"command": ["echo", "hello", ""]}"#)
        #expect(run == RunSpecification(command: ["echo", "hello", ""]))
    }

    @Test func `every member is taken`() throws {
        let run = try decode(
            #"""
            {"command": ["cat"], "env": {"A": "1", "EMPTY": ""}, "workingDirectory": "/tmp", "stdin": "text é",
             "timeoutSeconds": 2.5, "graceSeconds": 1, "onOutputLimit": "kill", "limits": {"outputBytes": 100}}
            """#
        )
        #expect(run.command == ["cat"])
        #expect(run.environment == ["A": "1", "EMPTY": ""])
        #expect(run.workingDirectory == "/tmp")
        #expect(run.standardInput == .bytes(Array("text é".utf8)))
        #expect(run.limits.timeout == .milliseconds(2500))
        #expect(run.grace == .seconds(1))
        #expect(run.onOutputLimit == .kill)
        #expect(run.limits.outputBytes == 100)
    }

    @Test func `what is not named is the server's default`() throws {
        var maxima = RequestMaxima()
        maxima.defaults = Limits(timeout: .seconds(3), processes: 5, outputBytes: 77, diskBytes: 6, openFiles: 7)
        #expect(try decode(#"{"command": ["x"], "limits": {}}"#, maxima).limits == maxima.defaults)
    }

    @Test(
        arguments: [
            (#""plain""#, Array("plain".utf8)),
            (#""""#, []),
            (#""a\u0000b""#, [97, 0, 98]),
            (#"{"base64": "AP8="}"#, [0, 255]),
            (#"{"base64": ""}"#, []),
        ] as [(String, [UInt8])]
    )
    func `input is text or base64, and may hold any byte`(content: String, bytes: [UInt8]) throws {
        #expect(try decode(#"{"command": ["x"], "stdin": \#(content)}"#).standardInput == .bytes(bytes))
    }

    @Test func `a command may have as many elements as the server allows`() throws {
        let element = #""x""#
        let most = "[" + [String](repeating: element, count: 1024).joined(separator: ",") + "]"
        #expect(try decode(#"{"command": \#(most)}"#).command.count == 1024)
    }

    @Test func `a variable of the standard environment may be set`() throws {
        #expect(try decode(#"{"command": ["x"], "env": {"PATH": "/x"}}"#).fullEnvironment["PATH"] == "/x")
    }

    @Test func `two variables whose names only their bytes tell apart are refused, and none is lost`() {
        #expect(throws: Problem.self) {
            try decode(#"{"command": ["x"], "env": {"\u00e9": "composed", "e\u0301": "decomposed"}}"#)
        }
    }

    @Test func `an image and a network are taken where the server has them`() throws {
        var maxima = RequestMaxima()
        maxima.images.append("python")
        maxima.allowsHostNetwork = true
        let run = try decode(#"{"command": ["x"], "image": "python", "network": "host"}"#, maxima)
        #expect(run.image == "python")
        #expect(run.network == .host)
    }

    @Test(arguments: [("true", true), ("false", false)])
    func `an earlier run will do if the body says so`(value: String, usesCache: Bool) throws {
        let order = try RunRequest.decode(
            Array(#"{"cache": \#(value), "command": ["x"]}"#.utf8),
            maxima: RequestMaxima()
        )
        #expect(order.usesCache == usesCache)
        #expect(order.specification == RunSpecification(command: ["x"]))
    }

    @Test func `no earlier run will do unless the body says so`() throws {
        #expect(try !RunRequest.decode(Array(#"{"command": ["x"]}"#.utf8), maxima: RequestMaxima()).usesCache)
    }

    @Test(arguments: ["null", "1", #""true""#, "[]"])
    func `whether an earlier run will do is true or false`(value: String) {
        #expect(pointers(#"{"cache": \#(value), "command": ["x"]}"#) == ["/cache"])
    }

    @Test func `no earlier run will do for one that sees the host's network`() {
        var maxima = RequestMaxima()
        maxima.allowsHostNetwork = true
        let error = #expect(throws: Problem.self) {
            try decode(#"{"cache": true, "network": "host", "command": ["x"]}"#, maxima)
        }
        #expect(error?.faults.map(\.pointer.description) == ["/cache"])
    }

    @Test func `a path is absolute by its bytes`() throws {
        _ = try decode(#"{"command": ["x"], "workingDirectory": "/\u0301"}"#)
    }
}
