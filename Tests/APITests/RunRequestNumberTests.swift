import Runs
import Testing

@testable import API

@Suite struct RunRequestNumberTests {
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
    func `a time limit is taken to the nanosecond, and never becomes none`(number: String, duration: Duration) throws {
        let run = try decode(#"{"command": ["x"], "timeoutSeconds": \#(number)}"#)
        #expect(run.limits.timeout == duration)
    }

    @Test(arguments: [
        "0", "-0", "0.0", "-1", "-1e-9", "1e400", "-1e400", "1e308", "3600.0001", "3601", "\"1\"", "null", "true", "[]",
        "{}",
    ])
    func `another time limit is refused at its place`(number: String) {
        #expect(pointers(#"{"command": ["x"], "timeoutSeconds": \#(number)}"#) == ["/timeoutSeconds"])
    }

    @Test(arguments: [("0", .zero), ("60", .seconds(60)), ("1e-12", .nanoseconds(1))] as [(String, Duration)])
    func `a grace period may be none`(number: String, duration: Duration) throws {
        #expect(try decode(#"{"command": ["x"], "graceSeconds": \#(number)}"#).grace == duration)
    }

    @Test(arguments: ["-1", "60.5", "1e400", "1e308", "\"1\"", "null"])
    func `another grace period is refused at its place`(number: String) {
        #expect(pointers(#"{"command": ["x"], "graceSeconds": \#(number)}"#) == ["/graceSeconds"])
    }

    @Test func `each limit is taken up to its maximum`() throws {
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
    func `processor time that is not named is twice the timeout, at least a second`(timeout: String, cpu: Int) throws {
        #expect(try decode(#"{"command": ["x"], "timeoutSeconds": \#(timeout)}"#).limits.cpu == .seconds(cpu))
    }

    @Test(arguments: [("0", 0), ("1", 1), ("1e3", 1000), ("1.0", 1), ("67108864", 64 << 20)])
    func `a size is a whole number however it is spelt`(number: String, bytes: Int) throws {
        #expect(try decode(#"{"command": ["x"], "limits": {"outputBytes": \#(number)}}"#).limits.outputBytes == bytes)
    }

    @Test(arguments: [
        "-1", "0.5", "1e-12", "67108865", "9223372036854775807", "9223372036854775808", "1e308", "1e400", "\"1\"",
        "null",
    ])
    func `another size is refused at its place`(number: String) {
        let body = #"{"command": ["x"], "limits": {"outputBytes": \#(number)}}"#
        #expect(pointers(body) == ["/limits/outputBytes"])
    }
}
