import HTTPServer
import Testing

@testable import Server

struct IdempotencyKeyFieldTests {
    private func key(_ values: String...) throws(Problem) -> String? {
        let headers = values.map { HeaderField("idempotency-key", $0) }
        guard let request = try? Request(method: "POST", target: "/runs", headers: headers) else { return "no request" }
        return try IdempotencyKeyField.parse(request)
    }

    @Test func `a request without the header has no key`() throws { #expect(try key() == nil) }

    @Test(
        arguments: [
            (#""8e03978e-40d5-43dd-bc93-6894a57f9324""#, "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            (#""a b""#, "a b"), (#""a\"b\\c""#, #"a"b\c"#), (#"a"b\c"#, #"a"b\c"#), ("!~", "!~"),
            (String(repeating: "k", count: 255), String(repeating: "k", count: 255)),
        ]
    )
    func `a quoted string is unquoted, and any other value is the key itself`(value: String, content: String) throws {
        #expect(try key(value) == content)
    }

    @Test(
        arguments: [
            "", "\"\"", "a b", "é", "\"é\"", "\"a", "\"a\"b", "\"a\" ;x=1", #""a\b""#, #""a\"#, "\"a\u{7F}\"",
            String(repeating: "k", count: 256),
        ]
    )
    func `a malformed key is rejected`(value: String) {
        let error = #expect(throws: Problem.self) { try key(value) }
        #expect(error?.status == 400 && error?.detail.contains("Idempotency-Key") == true)
    }

    @Test func `a repeated header is rejected`() {
        #expect(throws: Problem.self) { try key("a", "a") }
    }
}
