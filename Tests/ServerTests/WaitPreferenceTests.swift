import HTTPServer
import Testing

@testable import Server

@Suite struct WaitPreferenceTests {
    private static let most = Duration.seconds(300)

    @Test(
        arguments: [
            ("wait=30", .seconds(30)), ("wait=0", .zero), ("wait=0.25", .milliseconds(250)), ("wait=300", most),
            ("wait=301", most), ("wait=1e300", most), ("wait=-0", .zero), ("wait=1e400", most),
        ] as [(String, Duration)]
    )
    func `a query sets the seconds to wait, up to the server's maximum`(query: String, duration: Duration) throws {
        let wait = try #require(try preference(query: query))
        #expect(wait.duration == duration)
        #expect(wait.headers == [])
    }

    @Test(arguments: [
        "wait", "wait=", "wait=x", "wait=-1", "wait=-1e400", "wait=inf", "wait=nan", "wait=1%20", "wait=1s",
        "wait=0x1p3",
        "wait=%2B1", "wait=.5", "wait=01", "wait=5&wait=6", "wait=5&wait=5", "wait&wait=5",
    ])
    func `a malformed or repeated query parameter is a bad request`(query: String) {
        do throws(Problem) {
            _ = try preference(query: query)
            Issue.record("the query was accepted")
        } catch {
            #expect(error.status == 400)
        }
    }

    @Test(
        arguments: [
            (["wait=30"], 30), (["wait=0"], 0), (["Wait=5"], 5), (["wait = 5"], 5), (["wait=\"7\""], 7),
            (["respond-async, wait=10"], 10), (["respond-async", "wait=10"], 10), (["wait=10; x=y, foo"], 10),
            (["wait=1, wait=2"], 1), (["wait=1", "wait=2"], 1), (["wait=301"], 300),
            (["wait=99999999999999999999999"], 300), (["\t wait=3 \t"], 3), (["waiting=9, wait=4"], 4),
        ] as [([String], Int)]
    )
    func `a preference sets the seconds to wait and is echoed as applied`(values: [String], seconds: Int) throws {
        let wait = try #require(try preference(prefer: values))
        #expect(wait.duration == .seconds(seconds))
        #expect(wait.headers == [HeaderField("Preference-Applied", "wait=\(seconds)")])
    }

    @Test(arguments: [
        [], ["respond-async"], ["wait"], ["wait="], ["wait=x"], ["wait=-1"], ["wait=1.5"], ["wait=+1"], ["wait=\"\""],
        ["wait=٣"], ["return=minimal; wait=5"], [""],
    ])
    func `a malformed preference is ignored`(values: [String]) throws {
        #expect(try preference(prefer: values)?.duration == nil)
    }

    @Test func `a query overrides a preference`() throws {
        let wait = try #require(try preference(query: "wait=1", prefer: ["wait=2"]))
        #expect(wait.duration == .seconds(1))
        #expect(wait.headers == [])
    }

    @Test func `the remaining wait shrinks to zero`() throws {
        let wait = try #require(try preference(prefer: ["wait=2"]))
        #expect(wait.remaining(after: .seconds(1)).duration == .seconds(1))
        #expect(wait.remaining(after: .seconds(3)).duration == .zero)
        #expect(wait.remaining(after: .seconds(1)).headers == wait.headers)
    }

    private func preference(query: String? = nil, prefer: [String] = []) throws(Problem) -> WaitPreference? {
        let headers = prefer.map { HeaderField("Prefer", $0) }
        let target = "/runs" + (query.map { "?" + $0 } ?? "")
        guard let request = try? Request(method: "POST", target: target, headers: headers) else {
            throw Problem(status: 0, detail: "no request")
        }
        return try WaitPreference(request, atMost: Self.most)
    }
}
