extension JSONWriter {
    /// Writes a member (RFC 8259 §4); `nil` is `null`.
    ///
    /// Specialized for the types of most members: for a caller in another module the generic one looks up types and conformances
    /// anew each time.
    @specialized(where Value == String)
    @specialized(where Value == Int)
    @specialized(where Value == Double)
    @specialized(where Value == Bool)
    public mutating func member<Value: JSONWritable>(_ name: String, _ value: Value?) {
        beginMember(name)
        self.value(value)
        endMember()
    }

    /// Writes a member that is `null`, for the literal `nil`, which has no type of its own (RFC 8259 §3).
    public mutating func member(_ name: String, _ value: Never?) {
        member(name) { $0.scalar("null".utf8) }
    }

    /// Writes a string straight from bytes that the caller knows to be valid UTF-8 (RFC 8259 §7, §8.1).
    public mutating func member(_ name: String, utf8: some Sequence<UInt8>) {
        member(name) { $0.value(utf8: utf8) }
    }

    /// Writes bytes as a string in base 64 with padding (RFC 4648 §4).
    public mutating func member(_ name: String, base64 bytes: some Sequence<UInt8>) {
        member(name) { $0.value(base64: bytes) }
    }

    /// Writes an element of an array (RFC 8259 §5); `nil` is `null`.
    public mutating func element<Value: JSONWritable>(_ value: Value?) {
        requireArray()
        self.value(value)
    }

    /// Writes an element that is `null`, for the literal `nil`, which has no type of its own (RFC 8259 §3).
    public mutating func element(_ value: Never?) {
        requireArray()
        scalar("null".utf8)
    }

    /// Writes a string straight from bytes that the caller knows to be valid UTF-8 (RFC 8259 §7, §8.1).
    public mutating func element(utf8: some Sequence<UInt8>) {
        requireArray()
        value(utf8: utf8)
    }

    /// Writes bytes as a string in base 64 with padding (RFC 4648 §4).
    public mutating func element(base64 bytes: some Sequence<UInt8>) {
        requireArray()
        value(base64: bytes)
    }
}
