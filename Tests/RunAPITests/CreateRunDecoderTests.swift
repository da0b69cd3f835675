import JSON
import RunModel
import Testing

@testable import RunAPI

@Suite struct CreateRunDecoderTests {
    @Test func `a body with only a command is valid`() throws {
        let run = try decode(#"{"command": ["echo", "hello", ""]}"#)
        #expect(run == RunSpecification(command: ["echo", "hello", ""]))
    }

    @Test func `every member is decoded`() throws {
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

    @Test func `missing limits have the server's defaults`() throws {
        var maxima = RequestLimits()
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
    func `input is text or base64 and may contain any byte`(content: String, bytes: [UInt8]) throws {
        #expect(try decode(#"{"command": ["x"], "stdin": \#(content)}"#).standardInput == .bytes(bytes))
    }

    @Test func `a command may have as many elements as the server allows`() throws {
        let element = #""x""#
        let elements = "[" + [String](repeating: element, count: 1024).joined(separator: ",") + "]"
        #expect(try decode(#"{"command": \#(elements)}"#).command.count == 1024)
    }

    @Test func `a variable of the standard environment may be set`() throws {
        #expect(try decode(#"{"command": ["x"], "env": {"PATH": "/x"}}"#).fullEnvironment["PATH"] == "/x")
    }

    @Test func `two canonically equivalent variable names are refused`() {
        #expect(throws: ProblemDocument.self) {
            try decode(#"{"command": ["x"], "env": {"\u00e9": "composed", "e\u0301": "decomposed"}}"#)
        }
    }

    @Test func `an image and a network of the server are accepted`() throws {
        var maxima = RequestLimits()
        maxima.images.append("python")
        maxima.allowsHostNetwork = true
        let run = try decode(#"{"command": ["x"], "image": "python", "network": "host"}"#, maxima)
        #expect(run.image == "python")
        #expect(run.network == .host)
    }

    @Test(arguments: [("true", true), ("false", false)])
    func `the body may allow an earlier result`(value: String, usesCache: Bool) throws {
        let request = try CreateRunDecoder.decode(
            Array(#"{"cache": \#(value), "command": ["x"]}"#.utf8),
            maxima: RequestLimits()
        )
        #expect(request.usesCache == usesCache)
        #expect(request.specification == RunSpecification(command: ["x"]))
    }

    @Test func `no earlier result is allowed by default`() throws {
        #expect(try !CreateRunDecoder.decode(Array(#"{"command": ["x"]}"#.utf8), maxima: RequestLimits()).usesCache)
    }

    @Test(arguments: ["null", "1", #""true""#, "[]"])
    func `a cache member that is not a boolean is refused`(value: String) {
        #expect(pointers(#"{"cache": \#(value), "command": ["x"]}"#) == ["/cache"])
    }

    @Test func `an earlier result is refused for a run on the host's network`() {
        var maxima = RequestLimits()
        maxima.allowsHostNetwork = true
        let error = #expect(throws: ProblemDocument.self) {
            try decode(#"{"cache": true, "network": "host", "command": ["x"]}"#, maxima)
        }
        #expect(error?.faults.map(\.pointer.description) == ["/cache"])
    }

    @Test func `a path is absolute if its first byte is a slash`() throws {
        _ = try decode(#"{"command": ["x"], "workingDirectory": "/\u0301"}"#)
    }
}

@Suite struct CreateRunNumberTests {
    @Test(
        arguments: [
            ("10", .seconds(10)),
            ("0.05", .milliseconds(50)),
            ("0.000001", .microseconds(1)),
            ("1e-9", .nanoseconds(1)),
            ("1e-12", .nanoseconds(1)),
            ("5e-324", .nanoseconds(1)),
            ("1e3", .seconds(1000)),
            ("3600", .seconds(3600)),
            ("3600.0", .seconds(3600)),
            ("0.1", .milliseconds(100)),
        ] as [(String, Duration)]
    )
    func `a timeout is exact to the nanosecond and never rounded to zero`(number: String, duration: Duration) throws {
        let run = try decode(#"{"command": ["x"], "timeoutSeconds": \#(number)}"#)
        #expect(run.limits.timeout == duration)
    }

    @Test(arguments: [
        "0", "-0", "0.0", "-1", "-1e-9", "1e400", "-1e400", "1e308", "3600.0001", "3601", "\"1\"", "null", "true", "[]",
        "{}",
    ])
    func `an invalid timeout is refused`(number: String) {
        #expect(pointers(#"{"command": ["x"], "timeoutSeconds": \#(number)}"#) == ["/timeoutSeconds"])
    }

    @Test(arguments: [("0", .zero), ("60", .seconds(60)), ("1e-12", .nanoseconds(1))] as [(String, Duration)])
    func `a grace period may be zero`(number: String, duration: Duration) throws {
        #expect(try decode(#"{"command": ["x"], "graceSeconds": \#(number)}"#).grace == duration)
    }

    @Test(arguments: ["-1", "60.5", "1e400", "1e308", "\"1\"", "null"])
    func `an invalid grace period is refused`(number: String) {
        #expect(pointers(#"{"command": ["x"], "graceSeconds": \#(number)}"#) == ["/graceSeconds"])
    }

    @Test func `each limit is accepted up to its maximum`() throws {
        let body = #"""
            {"command": ["x"], "limits": {"cpuSeconds": 0.25, "memoryBytes": 68719476736, "processes": 8192,
             "diskBytes": 4096, "openFiles": 65536}}
            """#
        let limits = try decode(body).limits
        #expect(limits.cpu == .milliseconds(250))
        #expect(limits.memoryBytes == 64 << 30)
        #expect(limits.processes == 8192)
        #expect(limits.diskBytes == 4096)
        #expect(limits.openFiles == 65536)
    }

    @Test(arguments: [("7", 14), ("0.001", 1)])
    func `the default processor time is twice the timeout and at least one second`(timeout: String, cpu: Int) throws {
        #expect(try decode(#"{"command": ["x"], "timeoutSeconds": \#(timeout)}"#).limits.cpu == .seconds(cpu))
    }

    @Test(arguments: [("0", 0), ("1", 1), ("1e3", 1000), ("1.0", 1), ("67108864", 64 << 20)])
    func `a size is a whole number in any notation`(number: String, bytes: Int) throws {
        #expect(try decode(#"{"command": ["x"], "limits": {"outputBytes": \#(number)}}"#).limits.outputBytes == bytes)
    }

    @Test(arguments: [
        "-1", "0.5", "1e-12", "67108865", "9223372036854775807", "9223372036854775808", "1e308", "1e400", "\"1\"",
        "null",
    ])
    func `an invalid size is refused`(number: String) {
        let body = #"{"command": ["x"], "limits": {"outputBytes": \#(number)}}"#
        #expect(pointers(body) == ["/limits/outputBytes"])
    }
}

func decode(_ body: String, _ maxima: RequestLimits = RequestLimits()) throws(ProblemDocument) -> RunSpecification {
    try CreateRunDecoder.decode(Array(body.utf8), maxima: maxima).specification
}

/// Returns the problem of a body; `nil` if the body is valid.
func problem(_ body: String) -> ProblemDocument? {
    do throws(ProblemDocument) {
        _ = try decode(body)
        return nil
    } catch {
        return error
    }
}

/// Returns the pointers of a body's faults.
func pointers(_ body: String) -> [String] { problem(body)?.faults.map(\.pointer.description) ?? [] }
