/// Base64 with the standard alphabet and padding (RFC 4648 §4).
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The six bits of each byte; 0xFF for a byte outside the alphabet.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
        return values
    }()

    /// Appends the encoding of bytes, with padding and without line feeds (RFC 4648 §3.1, §3.2, §4).
    package static func encode(_ bytes: some Sequence<UInt8>, into text: inout [UInt8]) {
        let isDone: Void? = bytes.withContiguousStorageIfAvailable { encode($0.span, into: &text) }
        if isDone == nil { encode(Array(bytes).span, into: &text) }
    }

    private static func encode(_ bytes: Span<UInt8>, into text: inout [UInt8]) {
        var position = text.count
        text.append(contentsOf: repeatElement(UInt8(ascii: "="), count: (bytes.count + 2) / 3 * 4))
        var output = text.mutableSpan
        let alphabet = alphabet.span
        var index = 0
        while index < bytes.count {
            let present = min(3, bytes.count - index)
            var group = UInt32(bytes[index]) << 16
            if present > 1 { group |= UInt32(bytes[index + 1]) << 8 }
            if present > 2 { group |= UInt32(bytes[index + 2]) }
            output[position] = alphabet[Int(group >> 18)]
            output[position + 1] = alphabet[Int(group >> 12 & 0x3F)]
            if present > 1 { output[position + 2] = alphabet[Int(group >> 6 & 0x3F)] }
            if present > 2 { output[position + 3] = alphabet[Int(group & 0x3F)] }
            index += 3
            position += 4
        }
    }

    /// Decodes a text; returns `nil` unless it is exactly the output of ``encode(_:into:)``.
    ///
    /// Padding is required (RFC 4648 §3.2). White space and other bytes outside the alphabet are refused (§3.3), and
    /// so are nonzero unused bits in the last character (§3.5).
    package static func decode(_ text: String) -> [UInt8]? {
        decode(text.utf8.span)
    }

    /// Decodes a text in UTF-8, as strictly as ``decode(_:)-(String)`` (RFC 4648 §4).
    package static func decode(_ utf8: some Sequence<UInt8>) -> [UInt8]? {
        if let bytes = utf8.withContiguousStorageIfAvailable({ decode($0.span) }) { return bytes }
        return decode(Array(utf8).span)
    }

    private static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        guard !text.isEmpty else { return [] }
        let values = values.span
        var bytes = [UInt8](repeating: 0, count: text.count / 4 * 3)
        var output = bytes.mutableSpan
        // Only the last group may have padding. The top bit of `seen` is set by any byte outside the alphabet.
        var seen: UInt8 = 0
        var position = 0
        let last = text.count - 4
        for index in stride(from: 0, to: last, by: 4) {
            let first = values[Int(text[index])]
            let second = values[Int(text[index + 1])]
            let third = values[Int(text[index + 2])]
            let fourth = values[Int(text[index + 3])]
            seen |= first | second | third | fourth
            output[position] = first << 2 | second >> 4
            output[position + 1] = second << 4 | third >> 2
            output[position + 2] = third << 6 | fourth
            position += 3
        }
        guard seen & 0x80 == 0, let end = lastGroup(text.extracting(last..<text.count)) else { return nil }
        bytes.removeLast(3)
        return bytes + end
    }

    /// Decodes the one to three bytes of the last group, which may have padding.
    private static func lastGroup(_ text: Span<UInt8>) -> [UInt8]? {
        var padding = 0
        while padding < 2, text[3 - padding] == UInt8(ascii: "=") { padding += 1 }
        var group: UInt32 = 0
        for index in 0..<4 - padding {
            let value = values[Int(text[index])]
            guard value < 64 else { return nil }
            group |= UInt32(value) << (18 - 6 * index)
        }
        guard group & (1 << (8 * padding) - 1) == 0 else { return nil }
        return [16, 8, 0].prefix(3 - padding).map { UInt8(truncatingIfNeeded: group >> $0) }
    }
}
