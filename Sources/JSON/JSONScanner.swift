/// A scanner for the tokens of a JSON text (RFC 8259 §2), which does not track their nesting.
struct JSONScanner {
    let text: [UInt8]

    /// The offset of the next byte.
    var offset = 0

    /// The buffer for strings with escapes, reused for each of them.
    private var unescaped: [UInt8] = []

    init(_ text: [UInt8]) {
        self.text = text
    }

    var isAtEnd: Bool { offset == text.count }

    /// The next byte; `nil` at the end.
    var next: UInt8? { offset < text.count ? text[offset] : nil }

    /// Skips the next byte and returns `true` if it is this one.
    mutating func skip(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        offset += 1
        return true
    }

    /// Skips spaces, tabs, line feeds and carriage returns; nothing else is white space (RFC 8259 §2).
    mutating func skipWhiteSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    /// Refuses a byte order mark with an error of its own, because it is invisible in an editor.
    ///
    /// RFC 8259 §8.1 forbids sending one and lets the reader choose.
    func refuseByteOrderMark() throws(JSONSyntaxError) {
        if text.starts(with: [0xEF, 0xBB, 0xBF]) { throw error("a byte order mark is not allowed") }
    }

    /// Skips `true`, `false` or `null` (RFC 8259 §3).
    mutating func word(_ word: StaticString) throws(JSONSyntaxError) {
        let start = offset
        let matches = word.withUTF8Buffer { text[start...].starts(with: $0) }
        guard matches else { throw expected("\(word)") }
        offset += word.utf8CodeUnitCount
    }

    /// Makes an error for an unexpected next byte.
    func expected(_ token: String) -> JSONSyntaxError {
        let found =
            switch next {
            case nil: "the end of the text"
            case .some(let byte) where (0x21...0x7E).contains(byte): "'\(Unicode.Scalar(byte))'"
            case .some(let byte):
                "0x\(String(byte >> 4, radix: 16, uppercase: true))"
                    + String(byte & 0xF, radix: 16, uppercase: true)
            }
        return JSONSyntaxError(detail: "expected \(token) at byte \(offset), found \(found)")
    }

    /// Makes an error at the next byte, or at another offset.
    func error(_ reason: String, at position: Int? = nil) -> JSONSyntaxError {
        JSONSyntaxError(detail: "\(reason), at byte \(position ?? offset)")
    }

    // MARK: Numbers

    /// Reads a number that begins at the next byte (RFC 8259 §6).
    mutating func number() throws(JSONSyntaxError) -> JSONNumber {
        let start = offset
        _ = skip(UInt8(ascii: "-"))
        if skip(UInt8(ascii: "0")) {
            if let byte = next, Self.isDigit(byte) { throw error("a number must not have leading zeros") }
        } else {
            try digits()
        }
        if skip(UInt8(ascii: ".")) { try digits() }
        if skip(UInt8(ascii: "e")) || skip(UInt8(ascii: "E")) {
            if !skip(UInt8(ascii: "+")) { _ = skip(UInt8(ascii: "-")) }
            try digits()
        }
        return JSONNumber(scanned: String(decoding: text[start..<offset], as: UTF8.self))
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = offset
        while let byte = next, Self.isDigit(byte) { offset += 1 }
        guard offset > start else { throw expected("a digit") }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    // MARK: Strings

    /// Reads a string whose opening quotation mark is the next byte (RFC 8259 §7).
    mutating func string() throws(JSONSyntaxError) -> String {
        let start = offset + 1
        offset = start
        unescaped.removeAll(keepingCapacity: true)
        while true {
            let run = offset
            offset = text.span.endOfPlainRun(from: run)
            switch next {
            case UInt8(ascii: "\""):
                let end = offset
                offset += 1
                // Most strings have no escapes and are copied once, straight from the text.
                if run == start { return try decoded(start..<end) }
                unescaped.append(contentsOf: text[run..<end])
                if let span = try? UTF8Span(validating: unescaped.span) { return String(copying: span) }
                // Escapes are ASCII, so the fault is in the text's own bytes. Decoding them finds its offset.
                return try decoded(start..<end)
            case UInt8(ascii: "\\"):
                if run < offset { unescaped.append(contentsOf: text[run..<offset]) }
                try escape()
            case nil:
                throw expected("the string's closing '\"'")
            default:
                throw error("a control character in a string must be escaped")
            }
        }
    }

    /// Decodes a range of the text as UTF-8 (RFC 3629 §3).
    private func decoded(_ range: Range<Int>) throws(JSONSyntaxError) -> String {
        do throws(UTF8.ValidationError) {
            return String(copying: try UTF8Span(validating: text.span.extracting(range)))
        } catch {
            throw self.error("the text is not valid UTF-8", at: range.lowerBound + error.byteOffsets.lowerBound)
        }
    }

    /// Reads an escape whose reverse solidus is the next byte into `unescaped` (RFC 8259 §7).
    private mutating func escape() throws(JSONSyntaxError) {
        let start = offset
        offset += 1
        let byte: UInt8
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte = text[offset]
        case UInt8(ascii: "b"): byte = 0x08
        case UInt8(ascii: "f"): byte = 0x0C
        case UInt8(ascii: "n"): byte = 0x0A
        case UInt8(ascii: "r"): byte = 0x0D
        case UInt8(ascii: "t"): byte = 0x09
        case UInt8(ascii: "u"):
            unescaped.append(contentsOf: try scalar(from: start).utf8)
            return
        default: throw expected("one of '\"\\/bfnrtu' after '\\'")
        }
        offset += 1
        unescaped.append(byte)
    }

    /// Reads `XXXX` or, for a character outside the Basic Multilingual Plane, `XXXX\uXXXX` after `\`.
    ///
    /// RFC 8259 §8.2 does not define half a pair. No Unicode string can contain it, so it is refused.
    private mutating func scalar(from start: Int) throws(JSONSyntaxError) -> Unicode.Scalar {
        let unit = try codeUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard UTF16.isLeadSurrogate(unit), skip(UInt8(ascii: "\\")), next == UInt8(ascii: "u") else {
            throw error("an unpaired surrogate is not allowed", at: start)
        }
        let second = try codeUnit()
        guard UTF16.isTrailSurrogate(second) else { throw error("an unpaired surrogate is not allowed", at: start) }
        return UTF16.decode(UTF16.EncodedScalar([unit, second]))
    }

    /// Reads `u` and four hexadecimal digits.
    private mutating func codeUnit() throws(JSONSyntaxError) -> UInt16 {
        offset += 1
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = next.flatMap(Self.hexadecimalDigit) else { throw expected("a hexadecimal digit") }
            unit = unit << 4 | digit
            offset += 1
        }
        return unit
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt16? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}

extension Span<UInt8> {
    /// Returns the end of the run of bytes from `start` that a JSON string contains unescaped.
    ///
    /// Those are all bytes but `"`, `\` and the control characters below U+0020 (RFC 8259 §7).
    ///
    /// The search examines eight bytes per step, because a request may be one string of many megabytes.
    func endOfPlainRun(from start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var offset = start
        while offset + 8 <= count {
            // SAFETY: the load checks its bounds, and any eight bytes are a UInt64.
            let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
            // `(x - n * ones) & ~x` has a byte's top bit set where the byte is less than n. A borrow may set the bit
            // of the byte above too, but only if some byte is less than n. So the result tells exactly whether such a
            // byte exists.
            let quotes = word ^ ones &* UInt64(UInt8(ascii: "\""))
            let escapes = word ^ ones &* UInt64(UInt8(ascii: "\\"))
            let found =
                (word &- ones &* 0x20) & ~word | (quotes &- ones) & ~quotes | (escapes &- ones) & ~escapes
            if found & (ones &* 0x80) != 0 { break }
            offset += 8
        }
        while offset < count, !Self.isSpecial(self[offset]) { offset += 1 }
        return offset
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }
}
