import HTTPServer
import Runs
import Testing

@testable import API

@Suite struct RenderedRunsTests {
    @Test func `the answer about a finished run is kept until it is removed`() throws {
        var rendered = RenderedRuns()
        let run = Run.make(.exited(code: 0))
        #expect(rendered[run.id] == nil)
        let response = try PreparedResponse.make(bodyBytes: 2)
        rendered.keep(response, of: run)
        #expect(rendered[run.id] === response)
        rendered.remove(run.id)
        rendered.remove(run.id)
        #expect(rendered[run.id] == nil)
    }

    @Test func `the answer about a run that goes on is not kept`() throws {
        var rendered = RenderedRuns()
        rendered.keep(try .make(bodyBytes: 1), of: .make())
        #expect(rendered[Run.make().id] == nil)
    }

    @Test func `a large answer is not kept`() throws {
        var rendered = RenderedRuns()
        rendered.keep(try .make(bodyBytes: 65_537), of: .make(.exited(code: 0)))
        #expect(rendered[Run.make().id] == nil)
    }

    @Test func `the oldest answers make room for the newest`() throws {
        var rendered = RenderedRuns()
        let runs = (0..<100).map { _ in Run.finished() }
        for run in runs { rendered.keep(try .make(bodyBytes: 65_536), of: run) }
        // 4 MiB are 64 of them.
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
    /// A finished run with an id of its own.
    static func finished() -> Run {
        var run = Run(
            id: .none,
            specification: RunSpecification(command: ["true"]),
            enforcement: .current,
            createdAt: Timestamp(millisecondsSince1970: 0)
        )
        run.finish(Result(outcome: .exited(code: 0), usage: nil, finishedAt: Timestamp(millisecondsSince1970: 0)))
        return run
    }
}
