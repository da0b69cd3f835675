import Glibc
import JSON
import Logging
import Telemetry
import TestSupport
import Testing

@Suite struct LineLogHandlerTests {
    /// Returns the lines that a closure logs.
    private func logged(_ level: Logger.Level, _ body: (Logger) -> Void) throws -> [JSONObject] {
        let directory = try ScratchDirectory()
        let file = try directory.makeFile("log", "")
        let descriptor = open(file, O_WRONLY | O_APPEND | O_CLOEXEC)
        defer { close(descriptor) }
        let output = LogOutput(descriptor: descriptor)
        body(Logger(label: "test") { _ in LineLogHandler(.json, level: level, output: output) })
        return try (ScratchDirectory.contents(of: file) ?? []).split(separator: 0x0A).map { line in
            guard case .object(let object) = try JSONParser.parse(Array(line)) else { throw CancellationError() }
            return object
        }
    }

    @Test func `events below the level are not written`() throws {
        let lines = try logged(.notice) { logger in
            logger.info("no")
            logger.notice("yes")
            logger.critical("this too")
        }
        #expect(lines.map { $0["message"] } == [.string("yes"), .string("this too")])
        #expect(lines.map { $0["level"] } == [.string("notice"), .string("critical")])
    }

    @Test func `metadata becomes sorted members, and nested metadata becomes dotted names`() throws {
        let line = try #require(
            try logged(.info) { logger in
                var logger = logger
                logger[metadataKey: "server"] = "a"
                logger.info(
                    "m",
                    metadata: [
                        "z": .stringConvertible(5), "in": ["side": "b", "deep": ["er": "c"]], "list": ["x", "y"],
                        "took": .stringConvertible(Duration.milliseconds(20)), "message": "mine", "in.side": "again",
                    ]
                )
            }.first
        )
        #expect(
            line.members.map(\.name) == [
                "time", "level", "message", "in.deep.er", "in.side", "list", "message_", "server", "took", "z",
            ]
        )
        #expect(line["z"] == .number(JSONNumber(5)))
        #expect(line["in.deep.er"] == .string("c"))
        #expect(line["message"] == .string("m") && line["message_"] == .string("mine"))
        #expect(line["server"] == .string("a"))
    }
}
