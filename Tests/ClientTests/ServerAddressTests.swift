import Testing

@testable import Client

@Suite struct ServerAddressTests {
    @Test(arguments: [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"), ("HTTPS://Example.com/", "https://Example.com"),
        ("http://[::1]:8080", "http://[::1]:8080"), ("https://[fe80::1%25eth0]", "https://[fe80::1%25eth0]"),
        ("https://host/a/b//", "https://host/a/b"), ("http://host:65535", "http://host:65535"),
    ])
    func `a valid URL is parsed`(text: String, address: String) throws {
        #expect(try ServerAddress(text).description == address)
    }

    @Test(arguments: [
        "", "host", "host:8080", "ftp://host", "http://", "http:///runs", "http://user@host", "http://user:secret@host",
        "http://host?query", "http://host/#part", "http://host:0", "http://host:65536", "http://host:x", "http://host:",
        "http://::1", "http://[::1", "http://[::1]x", "http://[]", "http://ho st", "http://host\r\nX: y", "http://hö",
        "http://host/../x", "http://host/./x", "http://host\\x", "file:///etc/passwd",
    ])
    func `an invalid URL is refused`(text: String) {
        #expect(throws: ClientError.self) { try ServerAddress(text) }
    }
}
