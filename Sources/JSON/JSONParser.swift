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

/// One fault of a JSON text: an entry of `errors` in the problem document of the response (RFC 9457 §3).
package struct JSONFault: Sendable, Equatable {
    /// The position of the fault (RFC 6901).
    package let pointer: JSONPointer

    /// A description for the client's developer: a sentence that begins in lower case and has no full stop.
    package let detail: String

    package init(pointer: JSONPointer, detail: String) {
        self.pointer = pointer
        self.detail = detail
    }
}

/// The error of a text that is not JSON as ``JSONParser`` accepts it.
package struct JSONParseError: Error, Sendable, Equatable {
    /// All faults, in the order of the text; never empty.
    ///
    /// Every duplicate member (RFC 8259 §4) is a fault. A syntax error ends the parsing, so there is at most one, and
    /// it is the last fault. Duplicates inside members with very long names have long pointers. When all pointers
    /// take more bytes than the text and 64 KiB together, one fault at the root counts the further duplicates.
    package let faults: [JSONFault]
    /// The value, if duplicate members are the only faults: a caller that lists every fault of a text continues with
    /// it.
    ///
    /// The objects of this value contain the duplicate members.
    package let value: JSONValue?

    package init(faults: [JSONFault], value: JSONValue? = nil) {
        self.faults = faults
        self.value = value
    }
}

/// A departure from the grammar of RFC 8259; the parser adds its position in the tree.
struct JSONSyntaxError: Error {
    let detail: String
}

/// A collection of the faults found so far.
///
/// A pointer repeats the names of all the objects around a fault. A thousand duplicates inside a member whose name has
/// ten megabytes would take ten gigabytes. Pointers are therefore collected only while they take no more bytes than
/// the text and 64 KiB together. Further faults are only counted, so that memory and time stay linear.
struct JSONFaultCollector {
    private(set) var faults: [JSONFault] = []
    private var budget: Int
    private var omitted = 0

    init(textLength: Int) {
        budget = textLength + 65_536
    }

    mutating func append(at path: [JSONPathStep], detail: @autoclosure () -> String) {
        guard budget > 0 else {
            omitted += 1
            return
        }
        let pointer = JSONPathStep.pointer(along: path)
        budget -= pointer.description.utf8.count
        faults.append(JSONFault(pointer: pointer, detail: detail()))
    }

    /// Adds a fault with the number of omitted faults.
    mutating func close() {
        guard omitted > 0 else { return }
        faults.append(JSONFault(pointer: .root, detail: "further duplicate members: \(omitted)"))
    }

    /// Adds the syntax error that ended the parsing, even if the budget is used up.
    mutating func close(with error: JSONSyntaxError, at path: [JSONPathStep]) {
        close()
        faults.append(JSONFault(pointer: JSONPathStep.pointer(along: path), detail: error.detail))
    }
}

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
