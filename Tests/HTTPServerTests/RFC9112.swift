import Testing

/// Requests on a raw connection and the responses that RFC 9112 requires, section by section.
///
/// If the RFC permits several reactions, the rule names ours. If the library cannot be made to comply, a comment says
/// so, and the case records the actual reaction.
enum RFC9112 {
    /// The bytes to send, the expected statuses in order, and whether the server then closes the connection.
    struct Case: Sendable, CustomTestStringConvertible {
        let section: String
        let rule: String
        let sent: String
        let statuses: [Int]
        let closes: Bool

        init(_ section: String, _ rule: String, _ sent: String, _ statuses: [Int], closes: Bool = false) {
            (self.section, self.rule, self.sent) = (section, rule, sent)
            (self.statuses, self.closes) = (statuses, closes)
        }

        var testDescription: String { "\(section): \(rule)" }
    }

    static let host = "Host: a\r\n"
    static let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    static let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    static let messages: [Case] = [
        Case("2.2", "empty lines before a request line are ignored", "\r\n\r\n" + get, [200]),
        Case("2.2", "empty lines between requests are ignored", get + "\r\n\r\n" + get, [200, 200]),
        Case(
            "2.2",
            "a bare line feed, which may end a line, is refused",
            "GET / HTTP/1.1\nHost: a\n\n",
            [400],
            closes: true
        ),
        Case("2.2", "a bare line feed before a request line counts as an empty line", "\n" + get, [200]),
        Case("2.2", "a bare carriage return does not end a line", "GET / HTTP/1.1\rHost: a\r\r", [], closes: false),
        Case(
            "2.2",
            "a bare carriage return within a line",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            [400],
            closes: true
        ),
        Case(
            "2.2",
            "white space between the request line and the first field",
            "GET / HTTP/1.1\r\n X: a\r\n\(host)\r\n",
            [400],
            closes: true
        ),
        Case(
            "2.2",
            "a malformed request line gets 400 and closes the connection",
            "hello there\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "2.3",
            "a later minor version, which may be treated as 1.1, is refused",
            "GET / HTTP/1.2\r\n\(host)\r\n",
            [400],
            closes: true
        ),
        Case("2.3", "another major version", "GET / HTTP/2.0\r\n\(host)\r\n", [400], closes: true),
        Case("2.3", "the version's name is case-sensitive", "GET / Http/1.1\r\n\(host)\r\n", [400], closes: true),
        Case("2.3", "a version of two digits", "GET / HTTP/01.1\r\n\(host)\r\n", [400], closes: true),
    ]

    static let requestLines: [Case] = [
        Case(
            "3",
            "more than one space between words, which may be accepted, is refused",
            "GET  / HTTP/1.1\r\n\(host)\r\n",
            [400],
            closes: true
        ),
        Case("3", "a tab does not separate words", "GET\t/\tHTTP/1.1\r\n\(host)\r\n", [400], closes: true),
        Case("3", "trailing white space", "GET / HTTP/1.1 \r\n\(host)\r\n", [400], closes: true),
        Case("3", "white space in the target", "GET /a b HTTP/1.1\r\n\(host)\r\n", [400], closes: true),
        Case(
            "3",
            "a target over the limit gets 414",
            "GET /\(String(repeating: "a", count: 8_192)) HTTP/1.1\r\n\(host)\r\n",
            [414],
            closes: true
        ),
        Case(
            "3",
            "a request line of 8,000 bytes is accepted",
            "GET /\(String(repeating: "a", count: 7_985)) HTTP/1.1\r\n\(host)\r\n",
            [200]
        ),
        Case("3.1", "a method is a token", "GE(T / HTTP/1.1\r\n\(host)\r\n", [400], closes: true),
        Case(
            "3.1",
            "an unknown method reaches the handler",
            "FROB / HTTP/1.1\r\n\(host)\r\n",
            [200]
        ),
        Case(
            "3.1",
            "a long unknown method reaches the handler",
            "\(String(repeating: "M", count: 4_000)) / HTTP/1.1\r\n\(host)\r\n",
            [200]
        ),
        Case("3.1", "a method is case-sensitive: get is not GET", "get / HTTP/1.1\r\n\(host)\r\n", [200]),
        Case("3.2", "no Host on HTTP/1.1", "GET / HTTP/1.1\r\n\r\n", [400], closes: true),
        Case("3.2", "two Hosts", "GET / HTTP/1.1\r\n\(host)\(host)\r\n", [400], closes: true),
        Case(
            "3.2",
            "two Hosts in different cases",
            "GET / HTTP/1.1\r\n\(host)hOST: b\r\n\r\n",
            [400],
            closes: true
        ),
        Case("3.2", "a Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", [400], closes: true),
        Case("3.2", "a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", [400], closes: true),
        Case("3.2", "a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", [400], closes: true),
        Case("3.2", "a list of Hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", [400], closes: true),
        Case(
            "3.2",
            "a Host with a port that is not a number",
            "GET / HTTP/1.1\r\nHost: a:http\r\n\r\n",
            [400],
            closes: true
        ),
        Case("3.2", "a Host with two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", [400], closes: true),
        Case(
            "3.2",
            "a Host with half an IPv6 literal",
            "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
            [400],
            closes: true
        ),
        Case("3.2", "an empty Host is a Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", [200]),
        Case("3.2", "a Host with a port", "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", [200]),
        Case("3.2", "a Host with an IPv6 literal", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", [200]),
        Case("3.2.1", "the origin form", "GET /a?b HTTP/1.1\r\n\(host)\r\n", [200]),
        Case("3.2.1", "an empty path", "GET ?b HTTP/1.1\r\n\(host)\r\n", [400], closes: true),
        Case("3.2.2", "the absolute form is accepted", "GET http://a/b HTTP/1.1\r\n\(host)\r\n", [200]),
        Case("3.2.2", "the absolute form without a path", "GET http://a HTTP/1.1\r\n\(host)\r\n", [200]),
        Case(
            "3.2.2",
            "the absolute form with another host",
            "GET http://b/ HTTP/1.1\r\n\(host)\r\n",
            [400],
            closes: true
        ),
        Case(
            "3.2.2",
            "the absolute form with a user",
            "GET http://u@a/ HTTP/1.1\r\n\(host)\r\n",
            [400],
            closes: true
        ),
        Case(
            "3.2.2",
            "the absolute form with another scheme",
            "GET ftp://a/ HTTP/1.1\r\n\(host)\r\n",
            [400],
            closes: true
        ),
        Case(
            "3.2.3",
            "the authority form belongs to CONNECT, which is not supported",
            "CONNECT a:80 HTTP/1.1\r\n\(host)\r\n",
            [400],
            closes: true
        ),
        Case("3.2.3", "the authority form with GET", "GET a:80 HTTP/1.1\r\n\(host)\r\n", [400], closes: true),
        Case("3.2.4", "the asterisk form with OPTIONS", "OPTIONS * HTTP/1.1\r\n\(host)\r\n", [200]),
        Case("3.2.4", "the asterisk form with GET", "GET * HTTP/1.1\r\n\(host)\r\n", [400], closes: true),
    ]

    static let fields: [Case] = [
        Case("5", "a field without white space after the colon", "GET / HTTP/1.1\r\nHost:a\r\n\r\n", [200]),
        Case("5", "a field with white space around the value", "GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n", [200]),
        Case("5", "a field without a value", "GET / HTTP/1.1\r\n\(host)X:\r\n\r\n", [200]),
        Case("5", "a field without a colon", "GET / HTTP/1.1\r\n\(host)X\r\n\r\n", [400], closes: true),
        Case("5", "a field without a name", "GET / HTTP/1.1\r\n\(host): a\r\n\r\n", [400], closes: true),
        Case("5.1", "a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", [400], closes: true),
        Case("5.1", "a tab before the colon", "GET / HTTP/1.1\r\n\(host)X\t: a\r\n\r\n", [400], closes: true),
        Case("5.1", "a space within a name", "GET / HTTP/1.1\r\n\(host)X Y: a\r\n\r\n", [400], closes: true),
        Case(
            "5.1",
            "a space before the colon of a length",
            "POST / HTTP/1.1\r\n\(host)Content-Length : 3\r\n\r\nabc",
            [400],
            closes: true
        ),
        Case(
            "5.2",
            "a folded line, which may be refused, is refused",
            "GET / HTTP/1.1\r\n\(host)X: a\r\n b\r\n\r\n",
            [400],
            closes: true
        ),
        Case(
            "5.2",
            "a line folded with a tab",
            "GET / HTTP/1.1\r\n\(host)X: a\r\n\tb\r\n\r\n",
            [400],
            closes: true
        ),
        Case(
            "5.2",
            "a folded line of white space",
            "GET / HTTP/1.1\r\n\(host)X: a\r\n \r\n\r\n",
            [400],
            closes: true
        ),
        Case(
            "5.2",
            "a folded Transfer-Encoding",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
            [400],
            closes: true
        ),
    ]

    static let bodies: [Case] = [
        Case(
            "6",
            "a GET with a body is one request",
            "GET / HTTP/1.1\r\n\(host)Content-Length: 3\r\n\r\nabc" + get,
            [200, 200]
        ),
        Case(
            "6.1",
            "chunked in any case",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: ChUnKeD\r\n\r\n0\r\n\r\n",
            [200]
        ),
        Case(
            "6.1",
            "chunked after a tab",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n",
            [200]
        ),
        Case(
            "6.1",
            "an unknown transfer coding, which may get 501, gets 400",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: gzip\r\n\r\n",
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "chunked twice",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "chunked before another coding",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "identity",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: identity\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "chunked in quotation marks",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "a comma after chunked",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "a comma before chunked",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "a parameter of chunked",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "a vertical tab before chunked",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: \u{B}chunked\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "no body and no length",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding:\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "another word",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "two fields",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "two fields, the first of which is hidden",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "on HTTP/1.0",
            "POST / HTTP/1.0\r\n\(host)Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "with a Content-Length (CL.TE)",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "before a Content-Length (TE.CL)",
            "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "with a Content-Length of 0",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "with a malformed Content-Length",
            "POST / HTTP/1.1\r\n\(host)Content-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "hidden by a space before the colon (TE.TE)",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "hidden by a bare line feed (TE.TE)",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                + get,
            [400],
            closes: true
        ),
        Case(
            "6.1",
            "hidden by a NUL (TE.TE)",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\n\0Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "6.2",
            "leading zeros are digits",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 0003\r\n\r\nabc" + get,
            [200, 200]
        ),
        Case("6.2", "a length of 0", "POST / HTTP/1.1\r\n\(host)Content-Length: 0\r\n\r\n" + get, [200, 200]),
        Case(
            "6.3",
            "two equal lengths, which may be accepted, are refused",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc" + get,
            [400],
            closes: true
        ),
        Case(
            "6.3",
            "two different lengths",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 3\r\ncontent-length: 4\r\n\r\nabcd" + get,
            [400],
            closes: true
        ),
        Case("6.3", "no length is no body", "POST / HTTP/1.1\r\n\(host)\r\n" + get, [200, 200]),
    ]

    static let chunks: [Case] = [
        Case("7.1", "no chunk at all", chunked + "0\r\n\r\n" + get, [200, 200]),
        Case(
            "7.1",
            "chunk sizes in upper and lower case",
            chunked + "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n" + get,
            [200, 200]
        ),
        Case("7.1", "leading zeros", chunked + "0003\r\nabc\r\n000\r\n\r\n" + get, [200, 200]),
        Case(
            "7.1",
            "a size that overflows",
            chunked + "10000000000000000\r\nabc\r\n0\r\n\r\n" + get,
            [413],
            closes: true
        ),
        Case(
            "7.1",
            "a chunk that is longer than its size",
            chunked + "2\r\nabc\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case(
            "7.1",
            "a chunk that is shorter than its size",
            chunked + "5\r\nabc\r\n0\r\n\r\n" + get,
            [400],
            closes: true
        ),
        Case("7.1", "a chunk size that is not a number", chunked + "G\r\n" + get, [400], closes: true),
        // The library accepts bare line feeds between chunks and does not pass them on.
        Case(
            "7.1",
            "a bare line feed after a chunk size is accepted",
            chunked + "3\nabc\r\n0\r\n\r\n" + get,
            [200, 200]
        ),
        Case("7.1", "a bare line feed after a chunk is accepted", chunked + "3\r\nabc\n0\r\n\r\n" + get, [200, 200]),
        Case(
            "7.1",
            "a carriage return before a bare line feed may be the chunk's last byte",
            chunked + "4\r\nabc\r\n0\r\n\r\n" + get,
            [200, 200]
        ),
        Case("7.1", "a request without a last chunk is incomplete", chunked + "3\r\nabc\r\n", []),
        Case("7.1.1", "an extension is ignored", chunked + "3;a\r\nabc\r\n0;b=\"c\"\r\n\r\n" + get, [200, 200]),
        Case(
            "7.1.2",
            "trailers are dropped",
            chunked + "3\r\nabc\r\n0\r\nX: a\r\nHost: b\r\n\r\n" + get,
            [200, 200]
        ),
        Case(
            "7.1.2",
            "a length in a trailer has no effect",
            chunked + "0\r\nContent-Length: 40\r\n\r\n" + get,
            [200, 200]
        ),
        Case("7.1.2", "a trailer without a colon", chunked + "0\r\nX\r\n\r\n" + get, [400], closes: true),
    ]

    static let connections: [Case] = [
        Case("9.3", "HTTP/1.1 is kept", get + get, [200, 200]),
        Case("9.3", "HTTP/1.0 is closed", "GET / HTTP/1.0\r\n\r\n" + get, [200], closes: true),
        Case(
            "9.3",
            "HTTP/1.0 with keep-alive is kept",
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" + get,
            [200, 200]
        ),
        Case(
            "9.3.2",
            "pipelined requests get their responses in order",
            get + "HEAD / HTTP/1.1\r\n\(host)\r\n" + get,
            [200, 200, 200]
        ),
        Case(
            "9.3.2",
            "no request behind a refused one is served",
            get + "GET / HTTP/1.1\r\n\r\n" + get,
            [200, 400],
            closes: true
        ),
        Case("9.6", "close", "GET / HTTP/1.1\r\n\(host)Connection: close\r\n\r\n" + get, [200], closes: true),
        Case(
            "9.6",
            "close in another case and in a list",
            "GET / HTTP/1.1\r\n\(host)Connection: x, CLOSE\r\n\r\n" + get,
            [200],
            closes: true
        ),
        Case(
            "9.6",
            "close in a second field",
            "GET / HTTP/1.1\r\n\(host)Connection: x\r\nConnection: close\r\n\r\n" + get,
            [200],
            closes: true
        ),
        Case(
            "9.6",
            "close wins over keep-alive",
            "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n" + get,
            [200],
            closes: true
        ),
    ]

    /// Related rules of RFC 9110.
    static let semantics: [Case] = [
        Case(
            "9110 7.8",
            "an upgrade is ignored",
            "GET / HTTP/1.1\r\n\(host)Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + get,
            [200, 200]
        ),
        Case(
            "9110 9.3.8",
            "TRACE reaches the handler like any other method",
            "TRACE / HTTP/1.1\r\n\(host)Cookie: secret\r\n\r\n",
            [200]
        ),
        Case(
            "9110 10.1.1",
            "an unknown expectation gets 417",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nExpect: x\r\n\r\na" + get,
            [417],
            closes: true
        ),
        Case(
            "9110 10.1.1",
            "an unknown expectation beside a known one",
            "GET / HTTP/1.1\r\n\(host)Expect: 100-continue\r\nExpect: x\r\n\r\n" + get,
            [417],
            closes: true
        ),
        Case(
            "9110 10.1.1",
            "100-continue in any case",
            "POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nExpect: 100-Continue\r\n\r\na",
            [100, 200]
        ),
        Case(
            "9110 10.1.1",
            "100-continue on HTTP/1.0 is ignored",
            "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\na",
            [200],
            closes: true
        ),
    ]
}
