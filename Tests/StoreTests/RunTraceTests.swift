import Runs
import Testing

@testable import Store

@Suite struct RunTraceTests {
    private let trace = TraceContext(
        parents: ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
        states: ["a=b"]
    )

    @Test func `a trace is no part of what makes two runs the same, and a variable of that name is`() {
        let plain = RunSpecification(command: ["true"])
        var traced = plain
        traced.trace = trace
        #expect(traced.digest == plain.digest)
        var own = plain
        own.environment["TRACEPARENT"] = trace?.parent
        #expect(own.digest != plain.digest)
    }

    @Test func `a run that is remembered knows its trace by its environment`() throws {
        var traced = RunSpecification(command: ["true"], environment: ["A": "1"])
        traced.trace = trace
        var reader = RecordReader(traced.record)
        let read = try RunSpecification(from: &reader)
        #expect(read.environment == ["A": "1", "TRACEPARENT": try #require(trace).parent, "TRACESTATE": "a=b"])
        #expect(read.fullEnvironment == traced.fullEnvironment)
    }
}
