/// A parser that reads JSON as strictly as RFC 8259 allows (§9 lets a parser accept more; this one does not).
///
/// Among others the parser refuses:
///
/// - trailing commas, comments, an empty text, and anything after the value
/// - duplicate member names, compared without their escapes (§4, §8.3)
/// - leading zeros, `+1`, `.5`, `1.`, NaN and Infinity (§6)
/// - unescaped control characters (§7), and lone surrogates in `\u` escapes (§8.2)
/// - bytes that are not UTF-8 (§8.1, RFC 3629 §3), a byte order mark, and UTF-16
/// - more than ``maximumDepth`` levels of nesting (§9)
///
/// `\u0000` in a string is JSON and kept: the code that passes the string to the kernel refuses it.
///
/// Time and memory are linear in the length of any text.
package struct JSONParser {
    /// The maximum number of nested arrays and objects (RFC 8259 §9).
    ///
    /// The parser and the release of its value recurse once per level. 64 levels fit well on a stack of 512 KiB.
    package static let maximumDepth = 64

    private var scanner: JSONScanner
    private var path: [JSONPathStep] = []
    private var faults: JSONFaultCollector

    private init(_ text: [UInt8]) {
        scanner = JSONScanner(text)
        faults = JSONFaultCollector(textLength: text.count)
    }

    /// Parses a text in UTF-8 (RFC 8259 §2).
    ///
    /// - Parameter text: the whole text.
    /// - Returns: the value, in which no object has two members of the same name.
    /// - Throws: ``JSONParseError`` with every duplicate member and, last, the syntax error if there is one. Its detail
    ///   names the byte, counted from zero, and the expected token.
    package static func parse(_ text: [UInt8]) throws(JSONParseError) -> JSONValue {
        var parser = JSONParser(text)
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try parser.document()
            parser.faults.close()
        } catch {
            parser.faults.close(with: error, at: parser.path)
            throw JSONParseError(faults: parser.faults.faults)
        }
        guard parser.faults.faults.isEmpty else { throw JSONParseError(faults: parser.faults.faults, value: value) }
        return value
    }

    private mutating func document() throws(JSONSyntaxError) -> JSONValue {
        try scanner.refuseByteOrderMark()
        scanner.skipWhiteSpace()
        let value = try value()
        scanner.skipWhiteSpace()
        guard scanner.isAtEnd else { throw scanner.expected("the end of the text") }
        return value
    }

    private mutating func value() throws(JSONSyntaxError) -> JSONValue {
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

    private mutating func array() throws(JSONSyntaxError) -> [JSONValue] {
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

    private mutating func object() throws(JSONSyntaxError) -> JSONObject {
        try open()
        var object = JSONObject()
        var names = MemberNameSet()
        if scanner.skip(UInt8(ascii: "}")) { return object }
        while true {
            let start = scanner.offset
            guard scanner.next == UInt8(ascii: "\"") else { throw scanner.expected("a member name in double quotes") }
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

    /// Enters an array or object; the path has one step for each one that is already open.
    private mutating func open() throws(JSONSyntaxError) {
        guard path.count < Self.maximumDepth else {
            throw scanner.error("the text has more than \(Self.maximumDepth) levels of nesting")
        }
        scanner.offset += 1
        scanner.skipWhiteSpace()
    }
}

/// The member names of an object so far (RFC 8259 §4).
///
/// The first few are looked up among the members themselves. That is faster than a set, and most objects need no set
/// at all. From then on a set keeps an object of a hundred thousand members from taking quadratic time.
private struct MemberNameSet {
    private static let linearLimit = 8

    private var names: Set<ExactString> = []

    /// Adds a name and returns whether it differs from the names of the members before it.
    mutating func insert(_ name: String, after members: [JSONMember]) -> Bool {
        let name = ExactString(name)
        if members.count < Self.linearLimit { return !members.contains { ExactString($0.name) == name } }
        if names.isEmpty { names = Set(members.map { ExactString($0.name) }) }
        return names.insert(name).inserted
    }
}
