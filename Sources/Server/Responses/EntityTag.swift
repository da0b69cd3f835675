internal import HTTPServer

/// A strong entity tag: it is equal as long as the content is equal (RFC 9110, section 8.8.3).
struct EntityTag: Hashable {
    /// The tag with its quotation marks.
    let text: String

    /// Creates the tag of a content from its 64-bit FNV-1a hash and its length.
    ///
    /// The hash detects changes. It does not protect against forgery.
    init(of bytes: [UInt8]) {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        text = "\"\(String(hash, radix: 36))-\(String(bytes.count, radix: 36))\""
    }

    /// Creates the tag of a content that a name identifies.
    ///
    /// - Parameter name: visible ASCII characters without a quotation mark.
    init(_ name: String) { text = "\"\(name)\"" }

    var header: HeaderField { HeaderField("ETag", text) }

    /// Returns whether a range request may get a part of the content (`If-Range`).
    ///
    /// Only an equal strong tag counts (section 13.1.5). A date never matches because responses have none.
    func allowsRange(of request: Request) -> Bool {
        request.headers["If-Range"].map { $0 == text } ?? true
    }

    /// Returns whether the client already has the content: `If-None-Match`, in which weak tags count too (section
    /// 13.1.2).
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
