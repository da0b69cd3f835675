internal import HTTPServer

/// The tag of what a document says (RFC 9110, section 8.8.3): the same as long as that is the same.
struct EntityTag: Hashable {
    /// With its quotation marks; a strong one.
    let text: String

    /// The tag of these bytes: FNV-1a of 64 bits and their count.
    ///
    /// It tells changes apart, it is no proof against forgery.
    init(of bytes: [UInt8]) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        text = "\"\(String(hash, radix: 36))-\(String(bytes.count, radix: 36))\""
    }

    /// The tag of what can be told by a name: visible ASCII characters without a quotation mark.
    init(_ name: String) { text = "\"\(name)\"" }

    /// Whether a range may be answered as one (`If-Range`).
    ///
    /// Only the very same strong tag counts there (section 13.1.5). A date never does, for answers have none.
    ///
    /// - Parameters:
    ///   - request: what is asked.
    ///   - isKnown: whether clients have been told this tag.
    /// - Returns: whether it may.
    func allowsRange(of request: Request, isKnown: Bool) -> Bool {
        guard let condition = request.headers["If-Range"] else { return true }
        return isKnown && condition == text
    }

    /// Whether a client has it already: `If-None-Match`, in which weak tags count too (section 13.1.2).
    func isKnown(to request: Request) -> Bool {
        request.headers.values(of: "If-None-Match").contains { value in
            value.split(separator: ",").contains { part in
                var tag = part.drop { $0 == " " || $0 == "\t" }
                while let last = tag.last, last == " " || last == "\t" { tag.removeLast() }
                return tag == "*" || tag == text || tag == "W/" + text
            }
        }
    }
}
