import HTTPServer
import Testing

@testable import Server

@Suite struct RequestPolicyTests {
    @Test(arguments: [
        "localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080",
        "192.0.2.7:80",
    ])
    func `a name of this server is accepted`(host: String) {
        #expect(status([HeaderField("Host", host)]) == nil)
    }

    @Test(arguments: [
        ":8080", "example.com", "localhost.example.com", "127.0.0.1.example.com", "localhost.", "127.0.0.2",
        "[::2]", "[::1", "::1", "192.0.2.8", "localhost\u{301}",
    ])
    func `any other host is misdirected`(host: String) {
        #expect(status([HeaderField("Host", host)]) == 421)
    }

    @Test func `an empty host is misdirected`() {
        #expect(status([HeaderField("Host", "")]) == 421)
    }

    @Test func `an accepted host does not make other hosts acceptable`() {
        var policy = RequestPolicy(listeningAt: "127.0.0.1")
        for (host, expected) in [
            ("localhost:1", nil), ("example.com", 421), ("localhost:1", nil), ("x", 421), ("x", 421),
        ] {
            let status = rejectionStatus([HeaderField("Host", host)]) { request throws(Problem) in
                _ = try policy.check(request)
            }
            #expect(status == expected)
        }
    }

    @Test func `an IPv6 address is a host in brackets`() {
        #expect(status([HeaderField("Host", "[2001:db8::1]:80")], listeningAt: "2001:db8::1") == nil)
        #expect(status([HeaderField("Host", "[2001:db8::2]:80")], listeningAt: "2001:db8::1") == 421)
    }

    @Test func `a request without a host is accepted as HTTP 1 point 0`() {
        #expect(status([]) == nil)
    }

    @Test(arguments: ["http://localhost:8080", "HTTP://LOCALHOST:8080"])
    func `a page of this server is allowed`(origin: String) {
        #expect(status([HeaderField("Host", "localhost:8080"), HeaderField("Origin", origin)]) == nil)
    }

    @Test(arguments: [
        "null", "", "http://localhost", "http://localhost:8081", "https://localhost:8080", "http://127.0.0.1:8080",
        "http://example.com", "http://localhost:8080.example.com", "http://localhost:8080/",
    ])
    func `a page of another origin is forbidden`(origin: String) {
        #expect(status([HeaderField("Host", "localhost:8080"), HeaderField("Origin", origin)]) == 403)
    }

    @Test(arguments: [
        "application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;x=y",
    ])
    func `a body declared as JSON is accepted`(type: String) {
        #expect(contentTypeStatus([HeaderField("Content-Type", type)]) == nil)
    }

    @Test(arguments: [
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", "application",
        "",
        "application/problem+json", "text/plain; application/json", "application/json, text/plain",
    ])
    func `any other content type is unsupported`(type: String) {
        #expect(contentTypeStatus([HeaderField("Content-Type", type)]) == 415)
    }

    @Test func `a missing content type is unsupported`() {
        #expect(contentTypeStatus([]) == 415)
    }

    /// Returns the status with which a request is rejected; `nil` if it is accepted.
    private func status(_ headers: [HeaderField], listeningAt address: String = "192.0.2.7") -> Int? {
        var policy = RequestPolicy(listeningAt: address)
        return rejectionStatus(headers) { request throws(Problem) in _ = try policy.check(request) }
    }

    private func contentTypeStatus(_ headers: [HeaderField]) -> Int? {
        rejectionStatus(headers) { request throws(Problem) in
            try RequestPolicy.checkContentType(request)
        }
    }

    private func rejectionStatus(_ headers: [HeaderField], check: (Request) throws(Problem) -> Void) -> Int? {
        guard let request = try? Request(method: "POST", target: "/runs", headers: headers) else { return 0 }
        do throws(Problem) {
            try check(request)
            return nil
        } catch {
            return error.status
        }
    }
}
