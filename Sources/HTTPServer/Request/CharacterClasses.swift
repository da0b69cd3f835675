internal import System

/// The character classes of HTTP.
extension UInt8 {
    /// True if a method or a header field name may contain this byte: `tchar` of RFC 9110, 5.6.2.
    package var isTokenCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// True if a header field value may contain this byte: a tab, or anything but a control character.
    var isFieldCharacter: Bool { self >= 0x20 ? self != 0x7F : self == 0x09 }

    /// True if a request target may contain this byte: printable ASCII except the space and `#`.
    var isTargetCharacter: Bool { self > 0x20 && self < 0x7F && self != UInt8(ascii: "#") }
}

extension UnsafeBufferPointer<UInt8> {
    /// Returns whether the bytes are those of a literal.
    func equals(_ literal: StaticString) -> Bool {
        literal.withUTF8Buffer { literal in count == literal.count && elementsEqual(literal) }
    }
}

extension Collection<UInt8> {
    /// Returns whether the bytes are those of a literal, without regard to case.
    func equalsIgnoringCase(_ literal: StaticString) -> Bool {
        literal.withUTF8Buffer { literal in
            count == literal.count && zip(self, literal).allSatisfy { $0.lowercasedASCII == $1.lowercasedASCII }
        }
    }
}
