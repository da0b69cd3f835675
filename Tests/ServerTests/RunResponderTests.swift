import HTTPServer
import RunModel
import TestSupport
import Testing

@testable import Server

@Suite struct RunResponderTests {
    @Test func `the response with a finished run is cached until it is removed`() throws {
        var rendered = RenderedRuns()
        let run = Run.make(.exited(code: 0))
        #expect(rendered[run.id] == nil)
        let response = try PreparedResponse.make(bodyBytes: 2)
        rendered.insert(response, for: run)
        #expect(rendered[run.id] === response)
        rendered.remove(run.id)
        rendered.remove(run.id)
        #expect(rendered[run.id] == nil)
    }

    @Test func `the response with an unfinished run is not cached`() throws {
        var rendered = RenderedRuns()
        rendered.insert(try .make(bodyBytes: 1), for: .make())
        #expect(rendered[Run.make().id] == nil)
    }

    @Test func `a large response is not cached`() throws {
        var rendered = RenderedRuns()
        rendered.insert(try .make(bodyBytes: 65_537), for: .make(.exited(code: 0)))
        #expect(rendered[Run.make().id] == nil)
    }

    @Test func `new responses replace the oldest ones`() throws {
        var rendered = RenderedRuns()
        let runs = (0..<100).map { _ in Run.finished() }
        for run in runs { rendered.insert(try .make(bodyBytes: 65_536), for: run) }
        // The capacity of 4 MiB holds 64 of these bodies.
        #expect(runs.map { rendered[$0.id] != nil } == (0..<100).map { $0 >= 36 })
    }
}

extension PreparedResponse {
    static func make(bodyBytes: Int) throws -> PreparedResponse {
        let response = Response(status: 200, body: .bytes([UInt8](repeating: 1, count: bodyBytes)))
        return try #require(PreparedResponse(response))
    }
}

extension Run {
    /// Creates a finished run with the placeholder id.
    static func finished() -> Run {
        var run = Run(
            id: .none,
            specification: RunSpecification(command: ["true"]),
            enforcement: .minimum,
            createdAt: Timestamp(millisecondsSince1970: 0)
        )
        run.finish(Result(outcome: .exited(code: 0), usage: nil, finishedAt: Timestamp(millisecondsSince1970: 0)))
        return run
    }
}
