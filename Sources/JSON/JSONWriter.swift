/// Writes a JSON text (RFC 8259 §2), without white space, to the end of a buffer of bytes.
///
/// ```swift
/// var writer = JSONWriter()
/// writer.object { writer in
///     writer.member("id", run.id)
///     writer.member("exitCode", run.exitCode)          // nil is null
///     writer.member("command") { writer in
///         writer.array { writer in
///             for word in run.command { writer.element(word) }
///         }
///     }
/// }
/// ```
///
/// A member outside an object, an element outside an array, and a closure that writes no value or two where one
/// belongs are errors of the program and end it: the text would not be JSON. Member names are not compared.
public struct JSONWriter: Sendable {
    /// What may be written next.
    private enum Context {
        /// Exactly one value: the text's or a member's.
        case value
        /// Any number of an object's members.
        case member
        /// Any number of an array's elements.
        case element
        /// Nothing, after that one value.
        case nothing
    }

    /// The text so far: JSON (RFC 8259 §2) once the outermost ``object(_:)``, ``array(_:)`` or ``value(_:)`` returned.
    public private(set) var bytes: [UInt8] = []

    private var context = Context.value
    private var needsComma = false

    /// A writer of one text.
    ///
    /// - Parameter capacity: how many bytes to make room for. More are taken when they are needed.
    public init(capacity: Int = 1024) {
        bytes.reserveCapacity(capacity)
    }

    /// Writes an object (RFC 8259 §4), whose members the closure writes.
    public mutating func object<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        try nested(.member, "{", "}", body)
    }

    /// Writes an array (RFC 8259 §5), whose elements the closure writes.
    public mutating func array<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        try nested(.element, "[", "]", body)
    }

    /// Writes a member (RFC 8259 §4), whose value the closure writes.
    ///
    /// That is one call of ``object(_:)``, ``array(_:)`` or ``value(_:)``. After an error the text is of no use.
    public mutating func member<Failure: Error>(
        _ name: String,
        _ value: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        beginMember(name)
        try value(&self)
        endMember()
    }

    /// Writes a value as the text, as a member's value or as an array's element; `nil` is `null` (RFC 8259 §3).
    public mutating func value<Value: JSONWritable>(_ value: Value?) {
        if let value { value.write(to: &self) } else { scalar("null".utf8) }
    }

    /// Writes a string whose UTF-8 the caller knows to be valid (RFC 8259 §7, §8.1).
    ///
    /// Escaped are `"`, `\` and the control characters below U+0020, and nothing else.
    public mutating func value(utf8: some Sequence<UInt8>) {
        beginValue()
        let isDone: Void? = utf8.withContiguousStorageIfAvailable { quote($0.span) }
        if isDone == nil { quote(Array(utf8).span) }
        endValue()
    }

    /// Writes bytes as a string in base 64 with padding (RFC 4648 §4).
    public mutating func value(base64 data: some Sequence<UInt8>) {
        beginValue()
        bytes.append(UInt8(ascii: "\""))
        Base64.encode(data, into: &bytes)
        bytes.append(UInt8(ascii: "\""))
        endValue()
    }

    /// Writes what needs no escapes: a number or one of the three words.
    mutating func scalar(_ text: some Sequence<UInt8>) {
        beginValue()
        bytes.append(contentsOf: text)
        endValue()
    }

    mutating func beginMember(_ name: String) {
        precondition(context == .member, "a member is written in an object")
        separate()
        quote(name.utf8.span)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
        context = .value
    }

    mutating func endMember() {
        precondition(context == .nothing, "a member has one value")
        context = .member
    }

    func requireArray() {
        precondition(context == .element, "an element is written in an array")
    }

    private mutating func nested<Failure: Error>(
        _ content: Context,
        _ open: Unicode.Scalar,
        _ close: Unicode.Scalar,
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        beginValue()
        let outer = context
        bytes.append(UInt8(ascii: open))
        context = content
        needsComma = false
        try body(&self)
        bytes.append(UInt8(ascii: close))
        context = outer
        endValue()
    }

    private mutating func beginValue() {
        precondition(context == .value || context == .element, "a value has its place")
        separate()
    }

    private mutating func endValue() {
        if context == .value { context = .nothing }
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    /// Appends a string with its quotation marks: runs without escapes at once, the rest byte by byte.
    private mutating func quote(_ utf8: Span<UInt8>) {
        assert(UTF8Validation.isValid(utf8), "the caller knows the bytes to be UTF-8")
        bytes.append(UInt8(ascii: "\""))
        var offset = 0
        while true {
            let end = utf8.endOfPlainRun(from: offset)
            // SAFETY: the buffer lives as long as the span that it is borrowed from, and is copied at once.
            if offset < end {
                unsafe utf8.extracting(offset..<end).withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
            }
            guard end < utf8.count else { break }
            escape(utf8[end])
            offset = end + 1
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends the short escape where RFC 8259 §7 has one.
    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0..<0x20:
            bytes.append(UInt8(ascii: "u"))
            bytes.append(UInt8(ascii: "0"))
            bytes.append(UInt8(ascii: "0"))
            bytes.append(UInt8(ascii: "0") + byte >> 4)
            let digit = byte & 0xF
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
        default: bytes.append(byte)
        }
    }
}
