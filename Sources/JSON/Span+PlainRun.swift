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
