/// A text is not JSON as ``JSONParser`` accepts it.
public struct JSONParseError: Error, Sendable, Equatable {
    /// All faults, in the order of the text; never empty.
    ///
    /// Every duplicate member (RFC 8259 §4) is one. An error of syntax ends the parsing, so there is at most one, and
    /// it is the last. Only once the pointers come to more bytes than the text and 64 KiB, which takes duplicates
    /// inside members with very long names, are further duplicates counted in one fault at the root.
    public let faults: [JSONFault]
    /// The value, when duplicate members are all that is wrong: whoever lists every fault of a text goes on with it.
    ///
    /// Its objects have those members more than once.
    public let value: JSONValue?

    /// An error with these faults.
    public init(faults: [JSONFault], value: JSONValue? = nil) {
        self.faults = faults
        self.value = value
    }
}
