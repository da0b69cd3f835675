internal import System

/// The parsed and checked target of a request (RFC 9112, 3.2).
///
/// The path stays in bytes, as sent: the router matches bytes, and most requests never need a `String`.
struct RequestTarget: Sendable {
    /// The path as sent, or `*` for the server as a whole.
    let bytes: [UInt8]
    /// True if the path has percent escapes, all of which are well-formed.
    private let isEscaped: Bool
    let query: [QueryItem]
    /// The host of a target in absolute form, `http://host/path`.
    ///
    /// It must agree with `Host`.
    let authority: String?

    /// Parses a target.
    ///
    /// - Parameters:
    ///   - text: The target as sent.
    ///   - isEncrypted: Whether the scheme of an absolute form must be https instead of http.
    /// - Throws: A refusal if the target is malformed or has a dot segment.
    init(_ text: some RandomAccessCollection<UInt8>, isEncrypted: Bool = false) throws(RequestRefusal) {
        guard text.allSatisfy(\.isTargetCharacter) else {
            throw .malformed("The request target contains a character that must be percent-encoded.")
        }
        let host = Self.authority(of: text, isEncrypted ? "https://" : "http://")
        authority = host.map { String(decoding: $0, as: UTF8.self) }
        let relative = text[(host?.endIndex ?? text.startIndex)...]
        let end = relative.firstIndex(of: UInt8(ascii: "?")) ?? relative.endIndex
        let raw = Array(relative[..<end])
        // An absolute form may omit the root path.
        bytes = raw.isEmpty && host != nil ? [UInt8(ascii: "/")] : raw
        guard bytes.first == UInt8(ascii: "/") || (bytes == [UInt8(ascii: "*")] && end == text.endIndex) else {
            throw .malformed("The request target does not start with a slash.")
        }
        isEscaped = bytes.contains(UInt8(ascii: "%"))
        // The check applies to the decoded path, so that neither `%2e` nor `%2f` hides a dot segment.
        try Self.refuseDotSegments(isEscaped ? Array(try PercentDecoding.decode(bytes).utf8) : bytes)
        query = end == text.endIndex ? [] : try Self.items(of: text[text.index(after: end)...])
    }

    /// The path as sent.
    var target: String { String(decoding: bytes, as: UTF8.self) }

    /// The decoded path.
    ///
    /// An escaped slash in it looks like a slash between segments.
    var path: String { String(decoding: decoded(bytes[...]), as: UTF8.self) }

    /// The segments between slashes, each decoded by itself.
    var segments: [String] {
        var segments: [String] = []
        var rest = afterFirstSlash
        while let segment = Self.nextSegment(of: &rest) {
            segments.append(String(decoding: decoded(segment), as: UTF8.self))
        }
        return segments
    }

    /// The number of segments.
    var segmentCount: Int { bytes.count > 1 ? bytes.count { $0 == UInt8(ascii: "/") } : 0 }

    /// The path after its first slash, for `nextSegment(of:)`, or nil if the path has no segments.
    var afterFirstSlash: ArraySlice<UInt8>? { bytes.count > 1 ? bytes.dropFirst() : nil }

    /// Removes the first segment from the rest of a path, and returns it as sent.
    static func nextSegment(of rest: inout ArraySlice<UInt8>?) -> ArraySlice<UInt8>? {
        guard let path = rest else { return nil }
        let end = path.firstIndex(of: UInt8(ascii: "/"))
        rest = end.map { path[($0 + 1)...] }
        return path[..<(end ?? path.endIndex)]
    }

    /// Returns a part of the path with its escapes decoded.
    func decoded(_ part: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        // The initializer has decoded the whole path without an error, and no part begins or ends within an escape.
        guard isEscaped, let text = try? PercentDecoding.decode(part) else { return part }
        return ArraySlice(text.utf8)
    }

    /// Returns the text between `http://` or `https://` and the path.
    ///
    /// Every server must accept it (RFC 9112, 3.2.2).
    private static func authority<Text: Collection<UInt8>>(of text: Text, _ scheme: StaticString) -> Text.SubSequence? {
        let count = scheme.utf8CodeUnitCount
        guard text.first != UInt8(ascii: "/"), text.prefix(count).equalsIgnoringCase(scheme) else { return nil }
        return text.dropFirst(count).prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
    }

    /// Refuses `.` and `..`, which a client must resolve itself (RFC 3986, 5.2.4).
    private static func refuseDotSegments(_ path: [UInt8]) throws(RequestRefusal) {
        let dot = UInt8(ascii: ".")
        guard path.contains(dot) else { return }
        for part in path.split(separator: UInt8(ascii: "/")) where part == [dot] || part == [dot, dot] {
            throw .malformed("The request target contains a dot segment.")
        }
    }

    private static func items(of text: some Collection<UInt8>) throws(RequestRefusal) -> [QueryItem] {
        var items: [QueryItem] = []
        for part in text.split(separator: UInt8(ascii: "&")) {
            let equals = part.firstIndex(of: UInt8(ascii: "="))
            let name = try PercentDecoding.decode(part[..<(equals ?? part.endIndex)], plusIsSpace: true)
            let value = try equals.map { equals throws(RequestRefusal) in
                try PercentDecoding.decode(part[part.index(after: equals)...], plusIsSpace: true)
            }
            items.append(QueryItem(name: name, value: value))
        }
        return items
    }
}

/// Percent-decoding of request targets, with a refusal for each fault.
private enum PercentDecoding {
    /// Decodes a part of a request target.
    ///
    /// - Parameters:
    ///   - text: The encoded part.
    ///   - plusIsSpace: Whether `+` stands for a space, as it does in a query.
    /// - Returns: The decoded text.
    /// - Throws: A refusal if an escape is malformed or stands for NUL, or if the decoded bytes are not UTF-8.
    static func decode(_ text: some Collection<UInt8>, plusIsSpace: Bool = false) throws(RequestRefusal) -> String {
        do throws(PercentCoding.DecodingError) {
            return try PercentCoding.decode(text, plusIsSpace: plusIsSpace)
        } catch {
            switch error {
            case .malformedEscape: throw .malformed("The request target contains a malformed percent escape.")
            case .nul: throw .malformed("The request target contains a NUL character, %00.")
            case .notUTF8: throw .malformed("The percent escapes of the request target are not UTF-8.")
            }
        }
    }
}
