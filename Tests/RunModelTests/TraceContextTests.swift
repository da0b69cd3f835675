import RunModel
import Testing

@Suite struct TraceContextTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let parent = "b7ad6b7169203331"

    @Test(arguments: [
        ("00-\(trace)-\(parent)-01", "01"), ("00-\(trace)-\(parent)-00", "00"), ("00-\(trace)-\(parent)-03", "03"),
        // Undefined flags are not passed on.
        ("00-\(trace)-\(parent)-ff", "03"),
        // The known part of a later version is read.
        ("01-\(trace)-\(parent)-01", "01"), ("cc-\(trace)-\(parent)-09-what-the-future-will-be-like", "01"),
        ("fe-\(trace)-\(parent)-01-", "01"),
    ])
    func `a well-formed parent is passed on as version 00`(text: String, flags: String) throws {
        let context = try #require(TraceContext(parents: [text]))
        #expect(context.traceID == Self.trace)
        #expect(context.parentID == Self.parent)
        #expect(context.parent == "00-\(Self.trace)-\(Self.parent)-\(flags)")
        #expect(context.environment == ["TRACEPARENT": context.parent])
    }

    @Test(arguments: [
        "", "00", "00-\(trace)-\(parent)-0", "00-\(trace)-\(parent)", "00-\(trace)-\(parent)-01-",
        "00-\(trace)-\(parent)-01-x",
        "00-\(trace)-\(parent)-011", "ff-\(trace)-\(parent)-01", "00_\(trace)-\(parent)-01", "00-\(trace)_\(parent)-01",
        "00-\(trace)-\(parent)_01", "0-\(trace)-\(parent)-001", " 00-\(trace)-\(parent)-01",
        "00-\(trace)-\(parent)-01 ",
        "00-00000000000000000000000000000000-\(parent)-01", "00-\(trace)-0000000000000000-01",
        "00-\(trace.uppercased())-\(parent)-01", "00-\(trace)-\(parent.uppercased())-01", "0A-\(trace)-\(parent)-01",
        "00-\(trace)-\(parent)-0A", "00-\(trace)-\(parent)-0g", "00-\(trace.dropLast())g-\(parent)-01",
        "0x-\(trace)-\(parent)-01",
        "cc-\(trace)-\(parent)-01.what", "00-\(trace.dropLast())-\(parent)a-01", "00-\(trace)-\(parent)-\u{661}1",
    ])
    func `a malformed parent is ignored`(text: String) {
        #expect(TraceContext(parents: [text]) == nil)
    }

    @Test func `two parents are ignored, and no parent yields no context`() {
        let parent = "00-\(Self.trace)-\(Self.parent)-01"
        #expect(TraceContext(parents: [parent, parent]) == nil)
        #expect(TraceContext(parents: []) == nil)
    }

    private func state(_ states: [String]) -> String? {
        TraceContext(parents: ["00-\(Self.trace)-\(Self.parent)-01"], states: states)?.state
    }

    @Test(arguments: [
        ["a=b"], ["a=b,c=d"], ["a=b", "c=d"], ["a=b, c=d"], ["a=b,,c=d"], ["tenant@system=x"], ["0a_-*/=x y"],
        ["a=" + String(repeating: "x", count: 256)], [(0..<32).map { "k\($0)=v" }.joined(separator: ",")],
    ])
    func `a well-formed state is passed on unchanged`(states: [String]) {
        #expect(state(states) == states.joined(separator: ","))
    }

    @Test(arguments: [
        [], [""], [","], ["a"], ["=b"], ["A=b"], ["a=b=c"], ["a=b,a=c"], ["a=\u{7F}"], ["a=\u{E9}"], ["_a=b"],
        ["a b=c"],
        ["a=" + String(repeating: "x", count: 257)], [(0..<33).map { "k\($0)=v" }.joined(separator: ",")],
        [
            "a=" + String(repeating: "x", count: 250), "b=" + String(repeating: "x", count: 250),
            "c=" + String(repeating: "x", count: 50),
        ],
    ])
    func `a malformed state is dropped, and the trace continues`(states: [String]) {
        #expect(state(states) == nil)
        #expect(TraceContext(parents: ["00-\(Self.trace)-\(Self.parent)-01"], states: states) != nil)
    }

    @Test func `a run's own variables replace those of its trace`() {
        var run = RunSpecification(command: ["true"], environment: ["A": "1"])
        run.trace = TraceContext(parents: ["00-\(Self.trace)-\(Self.parent)-01"], states: ["a=b"])
        #expect(run.fullEnvironment["TRACEPARENT"] == "00-\(Self.trace)-\(Self.parent)-01")
        #expect(run.fullEnvironment["TRACESTATE"] == "a=b")
        #expect(run.ownEnvironment.count == 3)
        run.environment["TRACEPARENT"] = "mine"
        // The state belongs to the other parent.
        #expect(run.ownEnvironment == ["A": "1", "TRACEPARENT": "mine"])
    }
}
