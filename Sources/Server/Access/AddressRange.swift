internal import Glibc

/// A range of IPv4 or IPv6 addresses, such as `10.0.0.0/8`, `2001:db8::/32` or the single address `127.0.0.1`.
///
/// Source: RFC 4632, section 3.1; RFC 4291, section 2.3.
package struct AddressRange: Sendable, Hashable {
    /// The bytes of the address in network order, 4 or 16 of them.
    private let bytes: [UInt8]
    /// The number of leading bits that an address must share with the range.
    private let prefixLength: Int

    /// Parses an address, optionally with a slash and the length of the prefix in bits.
    package init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= 2, let bytes = Self.bytes(of: String(decoding: parts[0], as: UTF8.self)) else {
            return nil
        }
        var prefixLength = bytes.count * 8
        if parts.count == 2 {
            let digits = String(decoding: parts[1], as: UTF8.self)
            guard let number = Int(digits), "\(number)" == digits, (0...prefixLength).contains(number) else {
                return nil
            }
            prefixLength = number
        }
        (self.bytes, self.prefixLength) = (bytes, prefixLength)
    }

    /// Returns whether the range contains an address.
    ///
    /// - Parameter literal: The address without a port and without brackets.
    /// - Returns: Whether the range contains it; false for a text that is no address.
    package func contains(_ literal: String) -> Bool {
        guard let address = Self.bytes(of: literal), address.count == bytes.count else { return false }
        let (whole, rest) = (prefixLength / 8, prefixLength % 8)
        guard address[..<whole] == bytes[..<whole] else { return false }
        return rest == 0 || (address[whole] ^ bytes[whole]) >> UInt8(8 - rest) == 0
    }

    private static func bytes(of literal: String) -> [UInt8]? {
        // The C functions would read only the part before a NUL.
        guard !literal.utf8.contains(0) else { return nil }
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, literal, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
