import HTTPServer
import Testing

@testable import Server

@Suite struct PublicAddressTests {
    @Test(arguments: [
        ("https://example.com", "https://example.com", "", "example.com"),
        ("http://Example.com:8080/", "http://example.com:8080", "", "example.com"),
        ("https://example.com/a/b/", "https://example.com", "/a/b", "example.com"),
        ("https://[2001:db8::1]:443/x", "https://[2001:db8::1]:443", "/x", "[2001:db8::1]"),
    ])
    func `a public URL has an origin, a host and a path`(
        text: String,
        origin: String,
        prefix: String,
        host: String
    ) throws {
        let url = try #require(PublicURL(text))
        #expect(url.origin == origin)
        #expect(url.prefix == prefix)
        #expect(url.host == host)
    }

    @Test(arguments: [
        "", "example.com", "ftp://example.com", "https://", "https:///a", "https://a b", "https://u@example.com",
        "https://example.com?x", "https://example.com/a?x", "https://example.com/#x", "https://example.com/../a",
        "https://example.com//a", "https://example.com:x", "https://example.com:65536", "https://[::1",
        "https://example.com/a\"b", "https://example.com/ä", "/a",
    ])
    func `another text is no public URL`(text: String) {
        #expect(PublicURL(text) == nil)
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1", true), ("127.0.0.1", "127.0.0.2", false), ("10.0.0.0/8", "10.255.1.2", true),
        ("10.0.0.0/8", "11.0.0.0", false), ("192.0.2.128/25", "192.0.2.127", false),
        ("192.0.2.128/25", "192.0.2.200", true), ("0.0.0.0/0", "192.0.2.1", true), ("0.0.0.0/0", "::1", false),
        ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
        ("::1", "::1", true), ("::1", "0:0:0:0:0:0:0:1", true), ("10.0.0.0/8", "x", false),
    ])
    func `a range contains the addresses with its prefix`(range: String, address: String, contains: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(address) == contains)
    }

    @Test(arguments: [
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0/8", "::/129", "a", "1/2/3",
    ])
    func `another text is no range`(text: String) {
        #expect(AddressRange(text) == nil)
    }

    @Test(arguments: [
        ([("X-Forwarded-Prefix", "/builds")], "/builds"),
        ([("X-Forwarded-Prefix", "/builds/")], "/builds"),
        ([("X-Forwarded-Prefix", "/evil, /builds")], "/builds"),
        ([("X-Forwarded-Prefix", "/evil"), ("X-Forwarded-Prefix", "/builds")], "/builds"),
        ([("X-Forwarded-Prefix", "//evil.example")], ""),
        ([("X-Forwarded-Prefix", "https://evil.example")], ""),
        ([("X-Forwarded-Prefix", "/a/../b")], ""),
        ([("X-Forwarded-Prefix", "/a>;rel=x")], ""),
        ([("X-Forwarded-Prefix", "")], ""),
        ([("Forwarded", "for=192.0.2.1;host=example.com;proto=https")], "https://example.com"),
        (
            [("Forwarded", "For=\"[2001:db8::1]:80\";Host=\"example.com:8443\" ; Proto=HTTPS")],
            "https://example.com:8443"
        ),
        (
            [("Forwarded", "host=example.com;proto=https"), ("X-Forwarded-Prefix", "/builds")],
            "https://example.com/builds"
        ),
        // The client wrote the first element, and the proxy appended the second.
        (
            [("Forwarded", "host=evil.example;proto=http, for=192.0.2.1;host=a.example;proto=https")],
            "https://a.example"
        ),
        // The inner proxy saw the outer one, which is trusted.
        (
            [("Forwarded", "host=a.example;proto=https"), ("Forwarded", "for=10.0.0.2;host=b;proto=http")],
            "https://a.example"
        ),
        ([("Forwarded", "host=example.com")], ""),
        ([("Forwarded", "host=example.com;proto=ftp")], ""),
        ([("Forwarded", "host=\"a.example/evil\";proto=https")], ""),
        ([("Forwarded", "host=a;host=b;proto=https")], ""),
        ([("Forwarded", "host=\"a;proto=https")], ""),
        ([("Forwarded", "host")], ""), ([("Forwarded", ",;,")], ""), ([], ""),
    ])
    func `a trusted proxy states where URLs begin`(fields: [(String, String)], base: String) throws {
        var rules = AccessRules()
        rules.trustedProxies = try [#require(AddressRange("10.0.0.0/8"))]
        let headers = RequestHeaders(fields.map { HeaderField($0.0, $0.1) })
        #expect(PublicAddress(rules).base(headers, from: "10.0.0.1") == base)
        #expect(PublicAddress(rules).base(headers, from: "192.0.2.1") == "")
    }
}
