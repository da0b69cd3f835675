extension Scanner {
    /// Reads a string (RFC 8259 §7), whose opening quotation mark is the next byte.
    mutating func string() throws(SyntaxError) -> String {
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
                // Most strings have no escape, and are copied once, from the text.
                if run == start { return try decoded(start..<end) }
                unescaped.append(contentsOf: text[run..<end])
                if let span = try? UTF8Span(validating: unescaped.span) { return String(copying: span) }
                // Escapes are ASCII, so the text's own bytes are at fault, and decoding them finds the place.
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

    /// The text's bytes as they are, if they are UTF-8 (RFC 3629 §3).
    private func decoded(_ range: Range<Int>) throws(SyntaxError) -> String {
        do throws(UTF8.ValidationError) {
            return String(copying: try UTF8Span(validating: text.span.extracting(range)))
        } catch {
            throw self.error("the text is not valid UTF-8", at: range.lowerBound + error.byteOffsets.lowerBound)
        }
    }

    /// Reads an escape (RFC 8259 §7), whose reverse solidus is the next byte, into `unescaped`.
    private mutating func escape() throws(SyntaxError) {
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
    /// RFC 8259 §8.2 leaves open what half a pair means. No Unicode string can hold it, so it is refused.
    private mutating func scalar(from start: Int) throws(SyntaxError) -> Unicode.Scalar {
        let unit = try codeUnit()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard UTF16.isLeadSurrogate(unit), skip(UInt8(ascii: "\\")), next == UInt8(ascii: "u") else {
            throw error("half a surrogate pair", at: start)
        }
        let second = try codeUnit()
        guard UTF16.isTrailSurrogate(second) else { throw error("half a surrogate pair", at: start) }
        return UTF16.decode(UTF16.EncodedScalar([unit, second]))
    }

    /// Reads `u` and four hexadecimal digits.
    private mutating func codeUnit() throws(SyntaxError) -> UInt16 {
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
