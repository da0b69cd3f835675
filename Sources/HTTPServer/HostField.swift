/// What a `Host` header may say: a host and a port, as in a URI, or nothing (RFC 9110, 7.2; RFC 3986, 3.2.2).
enum HostField {
    static func isValid(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        var rest = value[...]
        while rest.last == 0x20 || rest.last == 0x09 { rest = rest.dropLast() }
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")), end > rest.startIndex + 2,
                rest[(rest.startIndex + 1)..<end].allSatisfy({
                    $0.hexadecimalValue != nil || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
                })
            else { return false }
            rest = rest[(end + 1)...]
        } else {
            rest = rest.drop { isNameCharacter($0) }
        }
        guard let colon = rest.first else { return true }
        return colon == UInt8(ascii: ":") && rest.count <= 6 && rest.dropFirst().allSatisfy { $0 &- 0x30 < 10 }
    }

    /// `unreserved`, `sub-delims` and the percent sign of RFC 3986.
    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="): true
        case UInt8(ascii: "#"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "|"): false
        default: byte.isTokenCharacter
        }
    }
}
