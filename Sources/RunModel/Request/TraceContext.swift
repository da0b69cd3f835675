/// The position of a request in a distributed trace: W3C Trace Context, <https://www.w3.org/TR/trace-context-2/>.
package struct TraceContext: Sendable, Hashable {
    /// The id of the trace: 32 lowercase hexadecimal digits.
    package let traceID: String
    /// The id of the caller within the trace: 16 lowercase hexadecimal digits.
    package let parentID: String
    /// The trace flags: sampled (1) and random trace id (2), the only ones that are defined.
    package let flags: UInt8
    /// The unchanged `tracestate` of the tracing systems; `nil` if it was empty or malformed.
    package let state: String?

    /// Parses the headers of a request.
    ///
    /// - Parameters:
    ///   - parents: the values of all `traceparent` headers. A trace exists only if there is exactly one value
    ///     and it is well formed (section 3.3).
    ///   - states: the values of all `tracestate` headers. Malformed ones are dropped, and the trace continues (section
    ///     4.3).
    package init?(parents: [String], states: [String] = []) {
        guard parents.count == 1, let parent = Self.parts(Array(parents[0].utf8)) else { return nil }
        (traceID, parentID, flags) = parent
        let state = states.joined(separator: ",")
        self.state = Self.isValid(state) ? state : nil
    }

    /// The value of a `traceparent` header of version 00, the only version that this program writes.
    package var parent: String { "00-\(traceID)-\(parentID)-0\(flags)" }

    /// The environment variables by which programs find their trace.
    package var environment: [String: String] {
        var variables = ["TRACEPARENT": parent]
        variables["TRACESTATE"] = state
        return variables
    }

    // MARK: traceparent

    /// The length of a version 00 header in bytes, after which a later version may continue with a dash (section
    /// 3.2.4).
    private static let count = 55

    private static func parts(_ text: [UInt8]) -> (trace: String, parent: String, flags: UInt8)? {
        let dash = UInt8(ascii: "-")
        guard text.count >= count, text[2] == dash, text[35] == dash, text[52] == dash,
            let version = number(text[0..<2]), version != 0xFF,
            text.count == count || (version > 0 && text[count] == dash),
            let flags = number(text[53..<55])
        else { return nil }
        let (trace, parent) = (text[3..<35], text[36..<52])
        for name in [trace, parent] {
            guard name.allSatisfy({ digit($0) != nil }), name.contains(where: { $0 != UInt8(ascii: "0") }) else {
                return nil
            }
        }
        return (String(decoding: trace, as: UTF8.self), String(decoding: parent, as: UTF8.self), flags & 3)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt8? {
        digits.reduce(0) { sum, byte in
            guard let sum, let digit = digit(byte) else { return nil }
            return sum << 4 | digit
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    // MARK: tracestate

    /// The bytes that every system must propagate, and the maximum number of list members (section 3.3.1).
    private static let maximumStateBytes = 512
    private static let maximumMembers = 32

    private static func isValid(_ state: String) -> Bool {
        guard state.utf8.count <= maximumStateBytes else { return false }
        var keys: Set<[UInt8]> = []
        for member in Array(state.utf8).split(separator: UInt8(ascii: ",")) {
            let text = trimmed(member)
            if text.isEmpty { continue }
            guard let equals = text.firstIndex(of: UInt8(ascii: "=")), isKey(text[..<equals]),
                isValue(text[text.index(after: equals)...]), keys.insert(Array(text[..<equals])).inserted
            else { return false }
        }
        return (1...maximumMembers).contains(keys.count)
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        var text = text.drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return text
    }

    private static func isKey(_ text: ArraySlice<UInt8>) -> Bool {
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard (1...256).contains(text.count), let first = text.first, isLetterOrDigit(first) else { return false }
        return text.allSatisfy { isLetterOrDigit($0) || "_-*/@".utf8.contains($0) }
    }

    private static func isValue(_ text: ArraySlice<UInt8>) -> Bool {
        (1...256).contains(text.count) && text.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "=") }
    }
}
