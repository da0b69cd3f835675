/// A string that is compared by its bytes.
///
/// `String` compares by canonical equivalence: it takes U+00E9 and U+0065 U+0301 for the same name. RFC 8259 §8.3
/// compares names code unit by code unit, and the kernel does the same with file names. The comparison by bytes also
/// saves the normalization that hashing a `String` costs.
struct ExactString: Hashable {
    private let string: String

    init(_ string: String) {
        self.string = string
    }

    static func == (left: ExactString, right: ExactString) -> Bool {
        left.string.utf8.count == right.string.utf8.count && left.string.utf8.elementsEqual(right.string.utf8)
    }

    func hash(into hasher: inout Hasher) {
        string.utf8.span.withUnsafeBytes { hasher.combine(bytes: $0) }
        // 0xFF never occurs in UTF-8. As a terminator it separates this string from the bytes that are hashed next.
        hasher.combine(0xFF as UInt8)
    }
}
