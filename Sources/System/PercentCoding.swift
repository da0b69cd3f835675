/// Percent-encoding of text in a URL (RFC 3986, section 2.1).
package enum PercentCoding {
    /// Text that is not valid percent-encoding.
    package enum DecodingError: Error, Sendable {
        /// A `%` without two hexadecimal digits behind it.
        case malformedEscape
        /// `%00`: no path or query of this service may contain NUL.
        case nul
        /// The decoded bytes are not UTF-8.
        case notUTF8
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    /// Encodes every byte that is neither unreserved (RFC 3986, section 2.3) nor in `allowed`.
    package static func encode(_ text: String, allowing allowed: StaticString = "") -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        allowed.withUTF8Buffer { allowed in
            for byte in text.utf8 {
                if isUnreserved(byte) || allowed.contains(byte) {
                    bytes.append(byte)
                } else {
                    bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Decodes a component of a URL.
    ///
    /// Decoding is strict: a guess would give one resource two names.
    ///
    /// - Parameters:
    ///   - text: the component.
    ///   - plusIsSpace: whether `+` means a space, as it does in a query.
    /// - Returns: the decoded text.
    /// - Throws: the first fault of the text.
    package static func decode(
        _ text: some Collection<UInt8>,
        plusIsSpace: Bool = false
    ) throws(DecodingError) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
                continue
            }
            guard let high = rest.next()?.hexadecimalValue, let low = rest.next()?.hexadecimalValue else {
                throw .malformedEscape
            }
            guard high << 4 | low != 0 else { throw .nul }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else { throw .notUTF8 }
        return decoded
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: byte.isAlphanumericASCII
        }
    }
}
