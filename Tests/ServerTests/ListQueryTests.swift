import HTTPServer
import RunModel
import Testing

@testable import Server
@testable import Store

@Suite struct ListQueryTests {
    @Test func `an empty query selects the hundred newest runs`() throws {
        let query = try query("")
        #expect(query.limit == 100)
        #expect(query.filter.state == nil && query.filter.outcome == nil && query.filter.label == nil)
    }

    @Test(arguments: [
        ("a:b", "a", "b"), ("a:", "a", ""), ("a:b:c", "a", "b:c"), ("a:%CC%81", "a", "\u{301}"), ("%C3%BC:x", "ü", "x"),
    ])
    func `a label is a name and a value, separated by the first colon byte`(
        text: String,
        key: String,
        value: String
    ) throws {
        let label = try #require(try query("label=" + text).filter.label)
        #expect(label.key == key)
        #expect(Array(label.value.utf8) == Array(value.utf8))
    }

    @Test(arguments: ["", ":", ":b", "a", "a%CC%81"])
    func `a malformed label is a bad request`(text: String) {
        #expect(status("label=" + text) == 400)
    }

    @Test(arguments: ["1", "7", "100"])
    func `a limit is a number from 1 to 100`(text: String) throws {
        #expect(try query("limit=" + text).limit == Int(text))
    }

    @Test(arguments: ["", "0", "101", "-1", "%2B7", "007", "1.0", "1e1", "x", "%207", "9223372036854775808"])
    func `any other limit is a bad request`(text: String) {
        #expect(status("limit=" + text) == 400)
    }

    @Test(arguments: [
        "state", "state=Queued", "outcome=ok", "cursor=x", "limit=1&limit=1", "state=queued&state=running",
    ])
    func `a malformed or repeated parameter is a bad request`(text: String) {
        #expect(status(text) == 400)
    }

    /// Returns the status with which a query is rejected; 0 if it is accepted.
    private func status(_ text: String) -> Int {
        do throws(Problem) {
            _ = try query(text)
            return 0
        } catch {
            return error.status
        }
    }

    private func query(_ text: String) throws(Problem) -> ListQuery {
        guard let request = try? Request(method: "GET", target: "/runs?" + text) else {
            throw Problem(status: -1, detail: "no request")
        }
        return try ListQuery(request)
    }
}
