internal import JSON
public import Runs

/// One line of a log, whatever is put into it.
///
/// Whoever reads the log can rely on its lines: text from outside neither ends one nor looks like another, and none is longer than
/// what write(2) hands to a pipe in one piece.
public struct LogLine: Sendable {
    /// The most bytes of a line, its end included: PIPE_BUF (pipe(7)).
    public static let mostBytes = 4096

    /// What a value is.
    public enum Value: Sendable, Hashable {
        /// A text, escaped as the format has it.
        case text(String)
        /// A number.
        case integer(Int)
        /// A number with six digits after the point.
        case seconds(Duration)
    }

    private let time: Timestamp
    private let level: String
    private let message: String
    private let fields: [(name: String, value: Value)]

    /// A line.
    ///
    /// - Parameters:
    ///   - time: when it happened.
    ///   - level: how bad that is, such as `info`.
    ///   - message: what happened.
    ///   - fields: what belongs to it; a name stands once.
    public init(
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

    /// The line with its end; one that would be too long is cut, and says so.
    public func bytes(_ format: LogFormat) -> [UInt8] {
        // What cannot fit is not written out first.
        if textBytes < Self.mostBytes {
            let line = render(format, message, fields)
            if line.count <= Self.mostBytes { return line }
        }
        let message = String(message.unicodeScalars.prefix(Self.cutScalars))
        let line = render(format, message, fields.prefix(Self.cutFields).map { ($0, Self.cut($1)) } + Self.isCut)
        return line.count <= Self.mostBytes ? line : render(format, message, Self.isCut)
    }

    private var textBytes: Int {
        fields.reduce(message.utf8.count) { sum, field in
            if case .text(let text) = field.value { sum + text.utf8.count } else { sum }
        }
    }

    /// What is left of a text: escaped, each scalar takes ten bytes at most.
    private static let cutScalars = 64
    private static let cutFields = 16
    private static let isCut: [(name: String, value: Value)] = [("cut", .integer(1))]

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

    /// Control characters, of Unicode's second set too, and what turns the direction of text are written out: a terminal would
    /// obey them.
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
