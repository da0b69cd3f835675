import HTTPServer
import Testing

@Suite struct RequestTests {
    @Test func `header names are looked up without regard to case`() throws {
        let fields = [HeaderField("ETag", "1"), HeaderField("x-a", "2"), HeaderField("X-A", "3")]
        let request = try Request(method: "GET", target: "/", headers: fields)
        #expect(request.headers["etag"] == "1")
        #expect(request.headers["X-a"] == "2")
        #expect(request.headers.values(of: "x-A") == ["2", "3"])
        #expect(request.headers["absent"] == nil)
        #expect(Array(request.headers) == fields)
    }

    @Test func `a query keeps its order, empty values and absent values`() throws {
        let request = try Request(method: "GET", target: "/?b=&a&&b=1=2&c=%26+%2B")
        let expected = [("b", ""), ("a", nil), ("b", "1=2"), ("c", "& +")].map { QueryItem(name: $0.0, value: $0.1) }
        #expect(request.query == expected)
        #expect(request.queryValue("b") == "")
        #expect(request.queryValue("a") == nil)
    }

    @Test func `segments are decoded one by one`() throws {
        #expect(try Request(method: "GET", target: "/").pathSegments == [])
        #expect(try Request(method: "GET", target: "/a/").pathSegments == ["a", ""])
        #expect(try Request(method: "GET", target: "/a%2Fb/c%25").pathSegments == ["a/b", "c%"])
        #expect(try Request(method: "GET", target: "/a...b/..c").pathSegments == ["a...b", "..c"])
    }

    @Test(arguments: ["", "a", "/%", "/%1", "/%00", "/..", "/%2e%2e", "/a b", "/\u{7F}", "/%ed%a0%80", "/?%zz", "*?a"])
    func `a malformed target throws`(target: String) {
        #expect(throws: RequestRefusal.self) { try Request(method: "GET", target: target) }
    }
}
