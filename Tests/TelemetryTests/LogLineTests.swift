import JSON
import RunModel
import Telemetry
import Testing

@Suite struct LogLineTests {
    private static let time = Timestamp(millisecondsSince1970: 1_769_847_330_123)

    private func text(_ line: LogLine, _ format: LogFormat) -> String {
        String(decoding: line.bytes(format), as: UTF8.self)
    }

    @Test func `a text line has time, level, message and fields`() {
        let line = LogLine(
            at: Self.time,
            level: "info",
            "request",
            [("path", .text("/a b")), ("status", .integer(200)), ("seconds", .seconds(.milliseconds(1500)))]
        )
        #expect(text(line, .text) == "2026-01-31T08:15:30.123Z info: request path=\"/a b\" status=200 seconds=1.5\n")
    }

    @Test func `a JSON line is an object with numbers as numbers`() {
        let line = LogLine(
            at: Self.time,
            level: "info",
            "request",
            [("path", .text("/a b")), ("status", .integer(200)), ("seconds", .seconds(.milliseconds(1500)))]
        )
        #expect(
            text(line, .json)
                == #"{"time":"2026-01-31T08:15:30.123Z","level":"info","message":"request","path":"/a b","status":200,"seconds":1.5}"#
                + "\n"
        )
    }

    /// Texts that could end a line, imitate another line, or move a terminal's cursor.
    static let hostile = [
        "a\nb", "\r\n2026-01-31T08:15:30.123Z error: no", "\u{1B}[2J", "\u{0}", "\u{7F}", "\u{9B}1m", "\u{2028}",
        "\u{202E}x",
        "\"},{\"level\":\"error", "\\", "\u{FEFF}", "\u{1F600}", "x=y", "",
    ]

    @Test(arguments: hostile, LogFormat.allCases)
    func `any text makes one line without characters that a terminal interprets`(hostile: String, format: LogFormat) {
        let line = LogLine(at: Self.time, level: "info", hostile, [("field", .text(hostile))]).bytes(format)
        #expect(line.filter { $0 == 0x0A }.count == 1 && line.last == 0x0A)
        #expect(!line.dropLast().contains { $0 < 0x20 || (format == .text && $0 == 0x7F) })
        guard format == .text else { return }
        let scalars = String(decoding: line, as: UTF8.self).unicodeScalars
        #expect(!scalars.contains { (0x80..<0xA0).contains($0.value) || (0x2028...0x202E).contains($0.value) })
    }

    @Test(arguments: hostile)
    func `parsing a JSON line returns the original text`(hostile: String) throws {
        let line = LogLine(at: Self.time, level: "info", hostile, [("field", .text(hostile))]).bytes(.json)
        guard case .object(let object) = try JSONParser.parse(line) else { throw CancellationError() }
        #expect(object["message"] == .string(hostile))
        #expect(object["field"] == .string(hostile))
    }

    @Test(arguments: LogFormat.allCases, [10, 4000, 4096, 5000, 50_000])
    func `no line is longer than an atomic write to a pipe, and a cut line is marked`(
        format: LogFormat,
        count: Int
    ) throws {
        for unit in ["x", "\u{1F600}", "\u{0}"] {
            let long = String(repeating: unit, count: count)
            for line in [
                LogLine(level: "info", long), LogLine(level: "info", "m", [("f", .text(long))]),
                LogLine(level: "info", long, (0..<100).map { ("f\($0)", .text(long)) }),
                LogLine(level: "info", "m", (0..<1000).map { (name: "f\($0)", value: .text(unit)) }),
            ] {
                let bytes = line.bytes(format)
                #expect(bytes.count <= LogLine.maximumBytes && bytes.last == 0x0A)
                if format == .json { _ = try JSONParser.parse(bytes) }
            }
        }
        let cut = text(LogLine(level: "info", "m", [("f", .text(String(repeating: "x", count: 5000)))]), .text)
        #expect(cut.hasSuffix(" cut=1\n"))
    }
}
