internal import HTTPServer

/// Reads `Idempotency-Key`: a structured string as its draft has it (`"8e03978e-…"`), or the same without quotation marks.
enum IdempotencyKeyField {
    private static let longest = 255

    /// The key of a request; `nil` if it has none.
    ///
    /// Source: draft-ietf-httpapi-idempotency-key-header, section 2.1; RFC 9651, section 3.3.3.
    static func read(_ request: Request) throws(Problem) -> String? {
        let values = request.headers.values(of: "Idempotency-Key")
        guard let value = values.first else { return nil }
        guard values.count == 1 else { throw refusal("there must be one, not \(values.count)") }
        let key = value.utf8.first == UInt8(ascii: "\"") ? try unquoted(value) : value
        guard (1...longest).contains(key.utf8.count) else {
            throw refusal("it must have from 1 to \(longest) characters")
        }
        let visible: ClosedRange<UInt8> = value.utf8.count == key.utf8.count ? 0x21...0x7E : 0x20...0x7E
        guard key.utf8.allSatisfy(visible.contains) else {
            throw refusal("it must consist of visible ASCII characters")
        }
        return key
    }

    /// What stands between the quotation marks; before a quotation mark or a backslash there is a backslash.
    private static func unquoted(_ text: String) throws(Problem) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8.dropFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                guard rest.isEmpty else { throw refusal("there is something behind its closing quotation mark") }
                return String(decoding: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), [UInt8(ascii: "\""), UInt8(ascii: "\\")].contains(escaped) else {
                    throw refusal("a backslash in it must stand before a quotation mark or another backslash")
                }
                bytes.append(escaped)
            default: bytes.append(byte)
            }
        }
        throw refusal("its closing quotation mark is missing")
    }

    private static func refusal(_ detail: String) -> Problem {
        Problem(status: 400, detail: "The header Idempotency-Key is not valid: \(detail).")
    }
}
