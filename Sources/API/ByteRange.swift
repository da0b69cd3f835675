internal import HTTPServer

/// The part of a content that a client asks for: `Range` (RFC 9110, section 14.2).
enum ByteRange: Equatable {
    /// From an offset to the end, or to the last byte wanted.
    case from(Int, last: Int?)
    /// So many bytes at the end.
    case suffix(Int)

    /// What a request asks for; `nil` if it asks for everything.
    ///
    /// A unit that is not bytes, what cannot be read, and several ranges at once are ignored, as they may be: the answer is
    /// everything. So is a range of any method but GET.
    init?(_ request: Request) {
        let values = request.headers.values(of: "Range")
        guard request.method == "GET", values.count == 1, let value = values.first else { return nil }
        self.init(value)
    }

    /// What a field says.
    init?(_ field: String) {
        let text = field.utf8
        guard let equals = text.firstIndex(of: UInt8(ascii: "=")), field[..<equals].lowercased() == "bytes" else {
            return nil
        }
        let range = text[text.index(after: equals)...]
        guard let dash = range.firstIndex(of: UInt8(ascii: "-")) else { return nil }
        let (first, last) = (range[..<dash], range[range.index(after: dash)...])
        if first.isEmpty {
            guard let count = Self.number(last) else { return nil }
            self = .suffix(count)
        } else {
            guard let start = Self.number(first) else { return nil }
            let end = Self.number(last)
            guard last.isEmpty || (end ?? -1) >= start else { return nil }
            self = .from(start, last: end)
        }
    }

    /// The bytes of a content of that length, as offsets; `nil`: it has none of them (416).
    func bytes(of count: Int) -> Range<Int>? {
        switch self {
        case .from(let first, let last):
            guard first < count else { return nil }
            return first..<(min(last ?? .max, count - 1) + 1)
        case .suffix(let wanted):
            guard wanted > 0, count > 0 else { return nil }
            return max(count - wanted, 0)..<count
        }
    }

    /// What is larger than any length is as good as the largest number.
    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(Substring(digits)) ?? .max
    }
}
