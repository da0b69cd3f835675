/// Which bytes HTTP allows where.
extension UInt8 {
    /// Whether this may be part of a method or a header's name: `tchar` of RFC 9110, 5.6.2.
    var isTokenCharacter: Bool {
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

    /// Whether this may be part of a header's value: all but control characters, a tab excepted.
    var isFieldCharacter: Bool { self >= 0x20 ? self != 0x7F : self == 0x09 }

    /// Whether this may be part of a request's target: printable ASCII without the space.
    var isTargetCharacter: Bool { self > 0x20 && self < 0x7F && self != UInt8(ascii: "#") }

    var lowercasedASCII: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    /// The value of a hexadecimal digit.
    var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension UnsafeBufferPointer<UInt8> {
    /// Whether these are a literal's bytes.
    func equals(_ literal: StaticString) -> Bool {
        literal.withUTF8Buffer { literal in count == literal.count && elementsEqual(literal) }
    }
}

extension Collection<UInt8> {
    /// Whether these are the same characters as a literal's, in whatever case.
    func equalsIgnoringCase(_ literal: StaticString) -> Bool {
        literal.withUTF8Buffer { literal in
            count == literal.count && zip(self, literal).allSatisfy { $0.lowercasedASCII == $1.lowercasedASCII }
        }
    }
}
