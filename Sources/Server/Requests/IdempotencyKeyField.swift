internal import HTTPServer

/// The header `Idempotency-Key`: a structured string such as `"8e03978e-…"`, or the same without quotation marks.
enum IdempotencyKeyField {
    private static let maximumLength = 255

    /// Returns the key of a request; `nil` if the request has none.
    ///
    /// Source: draft-ietf-httpapi-idempotency-key-header, section 2.1; RFC 9651, section 3.3.3.
    ///
    /// - Throws: a 400 problem for a malformed or repeated header.
    static func parse(_ request: Request) throws(Problem) -> String? {
        let values = request.headers.values(of: "Idempotency-Key")
        guard let value = values.first else { return nil }
        guard values.count == 1 else { throw invalid("the request has \(values.count) of them; send one") }
        let key = value.utf8.first == UInt8(ascii: "\"") ? try unquoted(value) : value
        guard (1...maximumLength).contains(key.utf8.count) else {
            throw invalid("its length must be 1 to \(maximumLength) characters")
        }
        let allowed: ClosedRange<UInt8> = value.utf8.count == key.utf8.count ? 0x21...0x7E : 0x20...0x7E
        guard key.utf8.allSatisfy(allowed.contains) else {
            throw invalid("it must consist of visible ASCII characters")
        }
        return key
    }

    /// Returns the content of a quoted string, in which a backslash escapes a quotation mark or a backslash.
    private static func unquoted(_ text: String) throws(Problem) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8.dropFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                guard rest.isEmpty else { throw invalid("characters follow its closing quotation mark") }
                return String(decoding: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), [UInt8(ascii: "\""), UInt8(ascii: "\\")].contains(escaped) else {
                    throw invalid("a backslash may only precede a quotation mark or a backslash")
                }
                bytes.append(escaped)
            default: bytes.append(byte)
            }
        }
        throw invalid("its closing quotation mark is missing")
    }

    private static func invalid(_ detail: String) -> Problem {
        Problem(status: 400, detail: "The header Idempotency-Key is invalid: \(detail).")
    }
}
