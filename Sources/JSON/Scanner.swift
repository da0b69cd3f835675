/// Reads the tokens of a JSON text (RFC 8259 §2), without knowing how they nest.
struct Scanner {
    let text: [UInt8]

    /// Where the next byte is.
    var offset = 0

    /// Where a string with escapes is put together; kept for the next one.
    var unescaped: [UInt8] = []

    init(_ text: [UInt8]) {
        self.text = text
    }

    var isAtEnd: Bool { offset == text.count }

    /// The next byte, or nil at the end.
    var next: UInt8? { offset < text.count ? text[offset] : nil }

    /// Steps over the next byte if it is this one.
    mutating func skip(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    /// Steps over space, tab, line feed and carriage return; nothing else is white space (RFC 8259 §2).
    mutating func skipWhiteSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    /// Refuses a byte order mark by name, since it is invisible in an editor.
    ///
    /// RFC 8259 §8.1 forbids to send one, and lets the reader choose.
    func refuseByteOrderMark() throws(SyntaxError) {
        if text.starts(with: [0xEF, 0xBB, 0xBF]) { throw error("a byte order mark is not allowed") }
    }

    /// Steps over `true`, `false` or `null` (RFC 8259 §3).
    mutating func word(_ word: StaticString) throws(SyntaxError) {
        let start = offset
        let isThere = word.withUTF8Buffer { text[start...].starts(with: $0) }
        guard isThere else { throw expected("\(word)") }
        offset += word.utf8CodeUnitCount
    }

    /// An error at the next byte.
    func expected(_ what: String) -> SyntaxError {
        let found =
            switch next {
            case nil: "the end of the text"
            case .some(let byte) where (0x21...0x7E).contains(byte): "'\(Unicode.Scalar(byte))'"
            case .some(let byte):
                "0x\(String(byte >> 4, radix: 16, uppercase: true))"
                    + String(byte & 0xF, radix: 16, uppercase: true)
            }
        return SyntaxError(detail: "expected \(what) at byte \(offset), found \(found)")
    }

    /// An error at the next byte, or at another.
    func error(_ what: String, at place: Int? = nil) -> SyntaxError {
        SyntaxError(detail: "\(what), at byte \(place ?? offset)")
    }
}
