/// One thing that is wrong with a JSON text: an entry of `errors` in the problem (RFC 9457 §3) that answers it.
public struct JSONFault: Sendable, Equatable {
    /// Where it is (RFC 6901).
    public let pointer: JSONPointer

    /// What is wrong, for the client's developer: a sentence without a capital at its start and a full stop.
    public let detail: String

    /// A fault at a place of the text (RFC 6901), with a sentence for the client's developer.
    public init(pointer: JSONPointer, detail: String) {
        self.pointer = pointer
        self.detail = detail
    }
}
