internal import Glibc
internal import JSON
package import Logging
package import RunModel
internal import Synchronization
internal import System

/// A swift-log handler that writes each event as one line.
package struct LineLogHandler: LogHandler {
    private let format: LogFormat
    private let output: LogOutput

    /// The lowest level that is written.
    package var logLevel: Logger.Level
    /// The metadata of every event.
    package var metadata: Logger.Metadata = [:]
    /// The provider of a task's metadata.
    package var metadataProvider: Logger.MetadataProvider?

    package init(_ format: LogFormat, level: Logger.Level, output: LogOutput) {
        self.format = format
        self.output = output
        logLevel = level
    }

    /// The value of one key in the metadata of every event.
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes an event.
    package func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error { all["error"] = "\(error)" }
        var fields: [(name: String, value: LogLine.Value)] = []
        for (key, value) in all {
            // Names are unique, and every line already has the reserved ones.
            Self.flatten(value, Self.reserved.contains(key) ? key + "_" : key, into: &fields)
        }
        fields.sort { $0.name < $1.name }
        // The key `a.b` and the key `b` in a dictionary `a` have the same name: keep one.
        fields = fields.enumerated().filter { $0 == 0 || fields[$0 - 1].name != $1.name }.map(\.element)
        output.write(LogLine(level: event.level.rawValue, "\(event.message)", fields).bytes(format))
    }

    private static func flatten(
        _ value: Logger.Metadata.Value,
        _ name: String,
        into fields: inout [(name: String, value: LogLine.Value)]
    ) {
        switch value {
        case .dictionary(let inner):
            for (key, value) in inner { flatten(value, name + "." + key, into: &fields) }
        case .stringConvertible(let number as Int): fields.append((name, .integer(number)))
        case .stringConvertible(let duration as Duration): fields.append((name, .seconds(duration)))
        default: fields.append((name, .text("\(value)")))
        }
    }

    private static let reserved: Set<String> = ["time", "level", "message"]
}

/// The destination of log lines: a descriptor, usually standard error.
///
/// Each line is one write(2), so that lines of several threads and processes never mix. Writing never blocks: if a pipe
/// is full because its reader does not read, the line is dropped and counted. The descriptor may be shared with other
/// programs and therefore stays in blocking mode. poll(2) reports whether a pipe takes PIPE_BUF bytes, and no line is
/// longer.
package final class LogOutput: Sendable {
    private let descriptor: Int32
    private let lock = Lock(())
    private let dropped = Atomic<UInt64>(0)

    /// Creates an output to a descriptor, which the caller still owns.
    package init(descriptor: Int32) { self.descriptor = descriptor }

    package static let standardError = LogOutput(descriptor: STDERR_FILENO)

    /// The number of dropped lines.
    package var droppedLines: UInt64 { dropped.load(ordering: .relaxed) }

    /// Writes a line, or drops it if the descriptor is not ready.
    package func write(_ line: [UInt8]) {
        let isWritten = lock.withLock { _ in
            var event = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&event, 1, 0) > 0, event.revents & Int16(POLLOUT) != 0 else { return false }
            return line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == line.count
        }
        if !isWritten { dropped.wrappingAdd(1, ordering: .relaxed) }
    }
}

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
