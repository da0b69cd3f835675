/// A request's target, taken apart and checked (RFC 9112, 3.2).
///
/// The path stays in bytes, as sent: most requests are routed by them, and nobody asks for a `String`.
struct RequestTarget: Sendable {
    /// The path as sent, or `*` for the server as a whole.
    let bytes: [UInt8]
    /// Whether the path has percent escapes; all of them are in order.
    private let isEscaped: Bool
    let query: [QueryItem]
    /// The host of a target in absolute form, `http://host/path`; it has to agree with `Host`.
    let authority: String?

    /// Takes a target apart, whose absolute form has the server's own scheme.
    init(_ text: some RandomAccessCollection<UInt8>, isEncrypted: Bool = false) throws(RequestRefusal) {
        guard text.allSatisfy(\.isTargetCharacter) else {
            throw .malformed("The target has a character that must be encoded.")
        }
        let host = Self.authority(of: text, isEncrypted ? "https://" : "http://")
        authority = host.map { String(decoding: $0, as: UTF8.self) }
        let relative = text[(host?.endIndex ?? text.startIndex)...]
        let end = relative.firstIndex(of: UInt8(ascii: "?")) ?? relative.endIndex
        let raw = Array(relative[..<end])
        // An absolute form may leave out the path of the root.
        bytes = raw.isEmpty && host != nil ? [UInt8(ascii: "/")] : raw
        guard bytes.first == UInt8(ascii: "/") || (bytes == [UInt8(ascii: "*")] && end == text.endIndex) else {
            throw .malformed("The target is not a path that starts with a slash.")
        }
        isEscaped = bytes.contains(UInt8(ascii: "%"))
        // Looks at the decoded path, so that neither `%2e` nor `%2f` hides one.
        try Self.refuseDotSegments(isEscaped ? Array(try PercentDecoding.decode(bytes).utf8) : bytes)
        query = end == text.endIndex ? [] : try Self.items(of: text[text.index(after: end)...])
    }

    /// The path as sent.
    var target: String { String(decoding: bytes, as: UTF8.self) }

    /// The path decoded, in which an escaped slash looks like one that parts segments.
    var path: String { String(decoding: decoded(bytes[...]), as: UTF8.self) }

    /// The parts between slashes, each decoded by itself.
    var segments: [String] {
        var segments: [String] = []
        var rest = afterFirstSlash
        while let segment = Self.nextSegment(of: &rest) {
            segments.append(String(decoding: decoded(segment), as: UTF8.self))
        }
        return segments
    }

    /// How many segments there are.
    var segmentCount: Int { bytes.count > 1 ? bytes.count { $0 == UInt8(ascii: "/") } : 0 }

    /// All segments, to be taken one by one with `nextSegment(of:)`; nil if there is none.
    var afterFirstSlash: ArraySlice<UInt8>? { bytes.count > 1 ? bytes.dropFirst() : nil }

    /// Takes off the first of the segments that are left, as sent.
    static func nextSegment(of rest: inout ArraySlice<UInt8>?) -> ArraySlice<UInt8>? {
        guard let path = rest else { return nil }
        let end = path.firstIndex(of: UInt8(ascii: "/"))
        rest = end.map { path[($0 + 1)...] }
        return path[..<(end ?? path.endIndex)]
    }

    /// A part of the path with its escapes taken off.
    func decoded(_ part: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        // The path was decoded as a whole without an error, and a part never begins or ends within an escape.
        guard isEscaped, let text = try? PercentDecoding.decode(part) else { return part }
        return ArraySlice(text.utf8)
    }

    /// What stands between `http://` or `https://` and the path: any server must accept it (RFC 9112, 3.2.2).
    private static func authority<Text: Collection<UInt8>>(of text: Text, _ scheme: StaticString) -> Text.SubSequence? {
        let count = scheme.utf8CodeUnitCount
        guard text.first != UInt8(ascii: "/"), text.prefix(count).equalsIgnoringCase(scheme) else { return nil }
        return text.dropFirst(count).prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
    }

    /// Whoever means well has resolved `.` and `..` already (RFC 3986, 5.2.4).
    private static func refuseDotSegments(_ path: [UInt8]) throws(RequestRefusal) {
        let dot = UInt8(ascii: ".")
        guard path.contains(dot) else { return }
        for part in path.split(separator: UInt8(ascii: "/")) where part == [dot] || part == [dot, dot] {
            throw .malformed("The target has a dot segment.")
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
