/// A writer that appends a JSON text without white space to a buffer of bytes (RFC 8259 §2).
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
/// Three programming errors end the process, because the text would not be JSON. They are a member outside an object,
/// an element outside an array, and a closure that does not write exactly one value where one is needed. Member names
/// are not compared.
package struct JSONWriter: Sendable {
    /// The grammar rule for the next token.
    private enum Context {
        /// Exactly one value: that of the text or of a member.
        case value
        /// Any number of members of an object.
        case member
        /// Any number of elements of an array.
        case element
        /// Nothing, because the one value has been written.
        case nothing
    }

    /// The text so far, which is JSON (RFC 8259 §2) when the outermost ``object(_:)``, ``array(_:)`` or ``value(_:)``
    /// has returned.
    package private(set) var bytes: [UInt8] = []

    private var context = Context.value
    private var needsComma = false

    /// Creates a writer for one text.
    ///
    /// - Parameter capacity: the number of bytes to reserve; the buffer grows beyond it when necessary.
    package init(capacity: Int = 1024) {
        bytes.reserveCapacity(capacity)
    }

    /// Writes an object with the members that the closure writes (RFC 8259 §4).
    package mutating func object<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        try nested(.member, "{", "}", body)
    }

    /// Writes an array with the elements that the closure writes (RFC 8259 §5).
    package mutating func array<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        try nested(.element, "[", "]", body)
    }

    /// Writes a member with the value that the closure writes (RFC 8259 §4).
    ///
    /// The closure calls one of ``object(_:)``, ``array(_:)`` and ``value(_:)`` once. If it throws, the text is
    /// useless.
    package mutating func member<Failure: Error>(
        _ name: String,
        _ value: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        beginMember(name)
        try value(&self)
        endMember()
    }

    /// Writes the value of the text, of a member or of an array's element; `nil` becomes `null` (RFC 8259 §3).
    package mutating func value<Value: JSONWritable>(_ value: Value?) {
        if let value { value.write(to: &self) } else { scalar("null".utf8) }
    }

    /// Writes a string from bytes that the caller knows to be valid UTF-8 (RFC 8259 §7, §8.1).
    ///
    /// Only `"`, `\` and the control characters below U+0020 are escaped.
    package mutating func value(utf8: some Sequence<UInt8>) {
        beginValue()
        let isDone: Void? = utf8.withContiguousStorageIfAvailable { quote($0.span) }
        if isDone == nil { quote(Array(utf8).span) }
        endValue()
    }

    /// Writes bytes as a string in base 64 with padding (RFC 4648 §4).
    package mutating func value(base64 data: some Sequence<UInt8>) {
        beginValue()
        bytes.append(UInt8(ascii: "\""))
        Base64.encode(data, into: &bytes)
        bytes.append(UInt8(ascii: "\""))
        endValue()
    }

    /// Writes a token that needs no escapes: a number or one of the three literal names.
    mutating func scalar(_ text: some Sequence<UInt8>) {
        beginValue()
        bytes.append(contentsOf: text)
        endValue()
    }

    private mutating func beginMember(_ name: String) {
        precondition(context == .member, "a member must be written in an object")
        separate()
        quote(name.utf8.span)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
        context = .value
    }

    private mutating func endMember() {
        precondition(context == .nothing, "a member must have exactly one value")
        context = .member
    }

    private func requireArray() {
        precondition(context == .element, "an element must be written in an array")
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
        precondition(
            context == .value || context == .element,
            "a value must be the text, a member's value or an element"
        )
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

// MARK: Members and elements

extension JSONWriter {
    /// Writes a member (RFC 8259 §4); `nil` becomes `null`.
    ///
    /// The method is specialized for the types of most members. In a call from another module the generic version
    /// looks up types and conformances every time.
    @specialized(where Value == String)
    @specialized(where Value == Int)
    @specialized(where Value == Double)
    @specialized(where Value == Bool)
    package mutating func member<Value: JSONWritable>(_ name: String, _ value: Value?) {
        beginMember(name)
        self.value(value)
        endMember()
    }

    /// Writes a member that is `null` (RFC 8259 §3), for the literal `nil`, which has no type of its own.
    package mutating func member(_ name: String, _ value: Never?) {
        member(name) { $0.scalar("null".utf8) }
    }

    /// Writes a string from bytes that the caller knows to be valid UTF-8 (RFC 8259 §7, §8.1).
    package mutating func member(_ name: String, utf8: some Sequence<UInt8>) {
        member(name) { $0.value(utf8: utf8) }
    }

    /// Writes bytes as a string in base 64 with padding (RFC 4648 §4).
    package mutating func member(_ name: String, base64 bytes: some Sequence<UInt8>) {
        member(name) { $0.value(base64: bytes) }
    }

    /// Writes an element of an array (RFC 8259 §5); `nil` becomes `null`.
    package mutating func element<Value: JSONWritable>(_ value: Value?) {
        requireArray()
        self.value(value)
    }

    /// Writes an element that is `null` (RFC 8259 §3), for the literal `nil`, which has no type of its own.
    package mutating func element(_ value: Never?) {
        requireArray()
        scalar("null".utf8)
    }

    /// Writes a string from bytes that the caller knows to be valid UTF-8 (RFC 8259 §7, §8.1).
    package mutating func element(utf8: some Sequence<UInt8>) {
        requireArray()
        value(utf8: utf8)
    }

    /// Writes bytes as a string in base 64 with padding (RFC 4648 §4).
    package mutating func element(base64 bytes: some Sequence<UInt8>) {
        requireArray()
        value(base64: bytes)
    }
}
