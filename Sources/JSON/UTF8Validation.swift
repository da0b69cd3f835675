/// The checks of a command's output: its validity as UTF-8 (RFC 3629), and the offsets at which it may be split.
package enum UTF8Validation {
    /// Returns whether the bytes are well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF (RFC
    /// 3629 §3).
    package static func isValid(_ bytes: [UInt8]) -> Bool {
        isValid(bytes.span)
    }

    /// Returns whether the bytes are well-formed UTF-8 (RFC 3629 §3).
    package static func isValid(_ bytes: ArraySlice<UInt8>) -> Bool {
        isValid(bytes.span)
    }

    /// Returns whether the bytes are well-formed UTF-8 (RFC 3629 §3).
    package static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // SAFETY: the memory is only read, as bytes, and only inside this call, while the caller keeps it alive.
        unsafe bytes.withMemoryRebound(to: UInt8.self) { unsafe isValid($0.span) }
    }

    /// Returns whether the bytes are well-formed UTF-8 (RFC 3629 §3).
    package static func isValid(_ bytes: Span<UInt8>) -> Bool {
        (try? UTF8Span(validating: bytes)) != nil
    }

    /// Returns the length of the longest prefix that does not split its last character (RFC 3629 §3).
    ///
    /// The prefix is at most three bytes shorter than the whole, and only the end is examined. Bytes that no
    /// continuation can complete (RFC 3629 §4) belong to the prefix. So a reader never waits for the rest of a
    /// character that cannot come.
    package static func lengthOfWholeCharacters(prefix bytes: some RandomAccessCollection<UInt8>) -> Int {
        var tail: [UInt8] = []
        for byte in bytes.suffix(3).reversed() {
            tail.insert(byte, at: 0)
            if byte & 0xC0 != 0x80 { break }
        }
        return isUnfinished(tail) ? bytes.count - tail.count : bytes.count
    }

    /// Returns whether the bytes begin a character and lack its end (RFC 3629 §4).
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
