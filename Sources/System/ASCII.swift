extension UInt8 {
    /// This byte in lower case, if it is an ASCII letter.
    @inlinable package var lowercasedASCII: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    /// The value of a hexadecimal digit of either case; `nil` for any other byte.
    @inlinable package var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// True for an ASCII letter or digit.
    @inlinable package var isAlphanumericASCII: Bool {
        self &- 0x30 < 10 || (self | 0x20) &- 0x61 < 26
    }
}
