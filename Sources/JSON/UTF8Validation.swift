/// Whether bytes that a command wrote are text (RFC 3629), and where they may be cut.
public enum UTF8Validation {
    /// Whether the bytes are well-formed UTF-8: nothing overlong, no surrogate, nothing over U+10FFFF (RFC 3629 §3).
    public static func isValid(_ bytes: [UInt8]) -> Bool {
        isValid(bytes.span)
    }

    /// Whether the bytes are well-formed UTF-8 (RFC 3629 §3).
    public static func isValid(_ bytes: ArraySlice<UInt8>) -> Bool {
        isValid(bytes.span)
    }

    /// Whether the bytes are well-formed UTF-8 (RFC 3629 §3).
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // SAFETY: the memory is only read, as bytes, and only inside this call, while the caller keeps it alive.
        unsafe bytes.withMemoryRebound(to: UInt8.self) { unsafe isValid($0.span) }
    }

    /// Whether the bytes are well-formed UTF-8 (RFC 3629 §3).
    public static func isValid(_ bytes: Span<UInt8>) -> Bool {
        (try? UTF8Span(validating: bytes)) != nil
    }

    /// The length of the longest prefix that does not split a character at its end, at most three bytes less than
    /// the whole (RFC 3629 §3).
    ///
    /// Only the end is looked at. Bytes that no continuation could make a character of (RFC 3629 §4) are not held
    /// back: a reader that waits for the rest of a character never waits for one that cannot come.
    public static func lengthOfWholeCharacters(prefix bytes: some RandomAccessCollection<UInt8>) -> Int {
        var tail: [UInt8] = []
        for byte in bytes.suffix(3).reversed() {
            tail.insert(byte, at: 0)
            if byte & 0xC0 != 0x80 { break }
        }
        return isUnfinished(tail) ? bytes.count - tail.count : bytes.count
    }

    /// Whether the bytes begin a character and lack its end (RFC 3629 §4).
    private static func isUnfinished(_ bytes: [UInt8]) -> Bool {
        guard let lead = bytes.first else { return false }
        let length: Int
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF: length = 3
        case 0xF0...0xF4: length = 4
        default: return false
        }
        guard bytes.count < length else { return false }
        guard bytes.count > 1 else { return true }
        switch lead {
        case 0xE0: return bytes[1] >= 0xA0
        case 0xED: return bytes[1] < 0xA0
        case 0xF0: return bytes[1] >= 0x90
        case 0xF4: return bytes[1] < 0x90
        default: return true
        }
    }
}
