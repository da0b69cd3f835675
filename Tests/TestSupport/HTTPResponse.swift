internal import Glibc
package import System

/// An HTTP response.
package struct HTTPResponse: Sendable {
    /// The protocol version, such as `HTTP/1.1`.
    package let version: String
    /// The status code.
    package let status: Int
    /// The fields by their names in lower case; repeated fields are joined with commas.
    package let headers: [String: String]
    /// The content, without the chunked coding.
    package var body: [UInt8] = []

    /// Reads the head of a message, without the empty line at its end.
    ///
    /// - Throws: `SystemError` for a line without a colon, and for a first line without a status.
    package init(head: String) throws(SystemError) {
        let lines = head.split(separator: "\r\n")
        let words = lines.first?.split(separator: " ", maxSplits: 2) ?? []
        guard words.count > 1, let status = Int(words[1]) else { throw SystemError("read a head", number: EBADMSG) }
        version = String(words[0])
        self.status = status
        headers = try Self.fields(ofHead: head)
    }

    /// Returns the fields of a request's or a response's head.
    ///
    /// - Throws: `SystemError` for a line without a colon.
    package static func fields(ofHead head: String) throws(SystemError) -> [String: String] {
        var fields: [String: String] = [:]
        for line in head.split(separator: "\r\n").dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw SystemError("read a field", number: EBADMSG) }
            let name = line[..<colon].lowercased()
            let value = String(line[line.index(after: colon)...].drop { $0 == " " })
            fields[name] = fields[name].map { $0 + ", " + value } ?? value
        }
        return fields
    }

    /// The content as UTF-8.
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// True if no content follows the head of this status (RFC 9112, 6.3).
    var hasNoBody: Bool { (100..<200).contains(status) || status == 204 || status == 304 }
}
