/// Reads a JSON text as strictly as RFC 8259 allows (§9 lets a parser accept more; this one does not).
///
/// Refused are, among others: trailing commas, duplicate member names (compared without their escapes, §4 and §8.3),
/// comments, leading zeros, `+1`, `.5`, `1.`, NaN and Infinity (§6), unescaped control characters (§7), lone
/// surrogates in `\u` escapes (§8.2), bytes that are not UTF-8 (§8.1, RFC 3629 §3), a byte order mark, UTF-16, an
/// empty text, anything after the value, and more than ``maximumDepth`` levels of nesting (§9). `\u0000` in a string
/// is JSON and kept: whoever hands the string to the kernel refuses it.
///
/// Time and memory are linear in the text's length, whatever is in it.
public struct JSONParser {
    /// How many arrays and objects may be open at once (RFC 8259 §9).
    ///
    /// The parser, and the release of what it returns, recurse once a level; 64 levels fit a 512 KiB stack well.
    public static let maximumDepth = 64

    private var scanner: Scanner
    private var path: [PathStep] = []
    private var faults: FaultList

    private init(_ text: [UInt8]) {
        scanner = Scanner(text)
        faults = FaultList(textLength: text.count)
    }

    /// The value that a text in UTF-8 holds (RFC 8259 §2).
    ///
    /// - Parameter text: the whole text.
    /// - Returns: the value, in which no object has two members of one name.
    /// - Throws: ``JSONParseError`` with every duplicate member and, last, the error of syntax if there is one. Its
    ///   detail names the byte, counted from zero, and what was expected there.
    public static func parse(_ text: [UInt8]) throws(JSONParseError) -> JSONValue {
        var parser = JSONParser(text)
        let value: JSONValue
        do throws(SyntaxError) {
            value = try parser.document()
            parser.faults.close()
        } catch {
            parser.faults.close(with: error, at: parser.path)
            throw JSONParseError(faults: parser.faults.faults)
        }
        guard parser.faults.faults.isEmpty else { throw JSONParseError(faults: parser.faults.faults, value: value) }
        return value
    }

    private mutating func document() throws(SyntaxError) -> JSONValue {
        try scanner.refuseByteOrderMark()
        scanner.skipWhiteSpace()
        let value = try value()
        scanner.skipWhiteSpace()
        guard scanner.isAtEnd else { throw scanner.expected("the end of the text") }
        return value
    }

    private mutating func value() throws(SyntaxError) -> JSONValue {
        switch scanner.next {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try scanner.string())
        case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number(try scanner.number())
        case UInt8(ascii: "t"):
            try scanner.word("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try scanner.word("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try scanner.word("null")
            return .null
        default:
            throw scanner.expected("a value")
        }
    }

    private mutating func array() throws(SyntaxError) -> [JSONValue] {
        try open()
        var elements: [JSONValue] = []
        if scanner.skip(UInt8(ascii: "]")) { return elements }
        while true {
            path.append(.index(elements.count))
            elements.append(try value())
            path.removeLast()
            scanner.skipWhiteSpace()
            if scanner.skip(UInt8(ascii: "]")) { return elements }
            guard scanner.skip(UInt8(ascii: ",")) else { throw scanner.expected("',' or ']'") }
            scanner.skipWhiteSpace()
            if scanner.next == UInt8(ascii: "]") { throw scanner.expected("a value after ','") }
        }
    }

    private mutating func object() throws(SyntaxError) -> JSONObject {
        try open()
        var object = JSONObject()
        var names = MemberNames()
        if scanner.skip(UInt8(ascii: "}")) { return object }
        while true {
            let start = scanner.offset
            guard scanner.next == UInt8(ascii: "\"") else { throw scanner.expected("a member name in '\"'") }
            let name = try scanner.string()
            path.append(.name(name))
            if !names.insert(name, after: object.members) {
                faults.append(at: path, detail: "the object has this member more than once, again at byte \(start)")
            }
            scanner.skipWhiteSpace()
            guard scanner.skip(UInt8(ascii: ":")) else { throw scanner.expected("':'") }
            scanner.skipWhiteSpace()
            object.members.append(JSONMember(name: name, value: try value()))
            path.removeLast()
            scanner.skipWhiteSpace()
            if scanner.skip(UInt8(ascii: "}")) { return object }
            guard scanner.skip(UInt8(ascii: ",")) else { throw scanner.expected("',' or '}'") }
            scanner.skipWhiteSpace()
        }
    }

    /// Enters an array or object; the path has one step for each that is open already.
    private mutating func open() throws(SyntaxError) {
        guard path.count < Self.maximumDepth else {
            throw scanner.error("more than \(Self.maximumDepth) levels of nesting")
        }
        scanner.offset += 1
        scanner.skipWhiteSpace()
    }
}
