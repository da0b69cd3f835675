internal import JSON
package import RunModel

/// One line of a log, safe for any content.
///
/// Readers can rely on the lines: text from outside can neither end a line nor imitate one. No line is longer than
/// write(2) writes to a pipe atomically.
package struct LogLine: Sendable {
    /// The maximum length of a line in bytes, including the newline: PIPE_BUF (pipe(7)).
    package static let maximumBytes = 4096

    /// The value of a field.
    package enum Value: Sendable, Hashable {
        /// A text. The format escapes it.
        case text(String)
        /// A whole number.
        case integer(Int)
        /// A number of seconds with up to six decimal places.
        case seconds(Duration)
    }

    private let time: Timestamp
    private let level: String
    private let message: String
    private let fields: [(name: String, value: Value)]

    /// Creates a line.
    ///
    /// - Parameters:
    ///   - time: The time of the event.
    ///   - level: The severity, such as `info`.
    ///   - message: The event.
    ///   - fields: The details of the event; the names must be unique.
    package init(
        at time: Timestamp = .now,
        level: String,
        _ message: String,
        _ fields: [(name: String, value: Value)] = []
    ) {
        self.time = time
        self.level = level
        self.message = message
        self.fields = fields
    }

    /// Renders the line with its newline.
    ///
    /// A line that would be too long is cut and gets the field `cut`.
    package func bytes(_ format: LogFormat) -> [UInt8] {
        // Rendering a line that cannot fit would be wasted work.
        if textBytes < Self.maximumBytes {
            let line = render(format, message, fields)
            if line.count <= Self.maximumBytes { return line }
        }
        let message = String(message.unicodeScalars.prefix(Self.cutScalars))
        let line = render(format, message, fields.prefix(Self.cutFields).map { ($0, Self.cut($1)) } + Self.cutMark)
        return line.count <= Self.maximumBytes ? line : render(format, message, Self.cutMark)
    }

    private var textBytes: Int {
        fields.reduce(message.utf8.count) { sum, field in
            if case .text(let text) = field.value { sum + text.utf8.count } else { sum }
        }
    }

    /// The length of a text in a cut line.
    ///
    /// Escaped, a scalar takes at most ten bytes.
    private static let cutScalars = 64
    private static let cutFields = 16
    private static let cutMark: [(name: String, value: Value)] = [("cut", .integer(1))]

    private static func cut(_ value: Value) -> Value {
        guard case .text(let text) = value else { return value }
        return .text(String(text.unicodeScalars.prefix(cutScalars)))
    }

    private func render(
        _ format: LogFormat,
        _ message: String,
        _ fields: some Sequence<(name: String, value: Value)>
    ) -> [UInt8] {
        switch format {
        case .json: return Self.json(time, level, message, fields)
        case .text: return Self.text(time, level, message, fields)
        }
    }

    private static func json(
        _ time: Timestamp,
        _ level: String,
        _ message: String,
        _ fields: some Sequence<(name: String, value: Value)>
    ) -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        writer.object { line in
            line.member("time", time.description)
            line.member("level", level)
            line.member("message", message)
            for field in fields {
                switch field.value {
                case .text(let text): line.member(field.name, text)
                case .integer(let number): line.member(field.name, number)
                case .seconds(let duration): line.member(field.name, Double(microseconds(duration)) / 1e6)
                }
            }
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func text(
        _ time: Timestamp,
        _ level: String,
        _ message: String,
        _ fields: some Sequence<(name: String, value: Value)>
    ) -> [UInt8] {
        var line = Array("\(time) \(level): ".utf8)
        append(message, to: &line, quoted: false)
        for field in fields {
            line += Array(" \(field.name)=".utf8)
            switch field.value {
            case .text(let text): append(text, to: &line, quoted: needsQuotes(text))
            case .integer(let number): line += Array(String(number).utf8)
            case .seconds(let duration): line += Array(String(Double(microseconds(duration)) / 1e6).utf8)
            }
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    private static func microseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }

    private static func needsQuotes(_ text: String) -> Bool {
        text.isEmpty || text.utf8.contains { $0 == 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "=") }
    }

    /// Appends a text and escapes the characters that a terminal would interpret.
    ///
    /// Those are the control characters of both Unicode sets and the characters that change the direction of text.
    private static func append(_ text: String, to line: inout [UInt8], quoted: Bool) {
        if quoted { line.append(UInt8(ascii: "\"")) }
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x0A: line += Array("\\n".utf8)
            case 0x5C: line += Array("\\\\".utf8)
            case 0x22 where quoted: line += Array("\\\"".utf8)
            case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069:
                line += Array("\\u{\(String(scalar.value, radix: 16))}".utf8)
            default: line += Array(String(scalar).utf8)
            }
        }
        if quoted { line.append(UInt8(ascii: "\"")) }
    }
}

/// The format of a log line.
package enum LogFormat: String, Sendable, CaseIterable {
    /// Text for people: `2026-01-31T08:15:30.123Z info: stopping signal=15`.
    case text
    /// One JSON object per line, for programs (RFC 8259).
    case json
}
