package import JSON

/// The JSON document of an output event: a part of a stream (`stdout` and `stderr` of `GET /runs/{id}/events`).
package struct EventDocument: Sendable, Hashable {
    /// The bytes of this part.
    package let bytes: [UInt8]
    /// The number of bytes of the stream before this part.
    package let offset: Int

    package init(bytes: [UInt8], offset: Int) {
        (self.bytes, self.offset) = (bytes, offset)
    }

    /// Reads the members of an event.
    ///
    /// - Parameter object: the event's object, which may have further members.
    /// - Throws: ``MalformedDocument`` if a member is missing or invalid.
    package init(_ object: JSONObject) throws(MalformedDocument) {
        guard let text = object["text"]?.string, let offset = object["offset"]?.integer, offset >= 0 else {
            throw MalformedDocument("an event without valid text and offset")
        }
        guard object["encoding"]?.string == "base64" else {
            self.init(bytes: Array(text.utf8), offset: offset)
            return
        }
        guard let bytes = Base64.decode(text) else { throw MalformedDocument("an event with invalid base64") }
        self.init(bytes: bytes, offset: offset)
    }

    /// Writes the members of the event: the bytes as text if they are UTF-8, else in base64.
    package func writeMembers(to document: inout JSONWriter) {
        if UTF8Validation.isValid(bytes) {
            document.member("text", utf8: bytes)
            document.member("encoding", "utf-8")
        } else {
            document.member("text", base64: bytes)
            document.member("encoding", "base64")
        }
        document.member("offset", offset)
    }
}
