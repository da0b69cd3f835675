public import Logging

/// swift-log's events as lines, in one of the formats.
public struct LineLogHandler: LogHandler {
    private let format: LogFormat
    private let output: LogOutput

    /// The least that is written.
    public var logLevel: Logger.Level
    /// What is said with every event.
    public var metadata: Logger.Metadata = [:]
    /// What is said with every event of a task.
    public var metadataProvider: Logger.MetadataProvider?

    /// A handler.
    public init(_ format: LogFormat, level: Logger.Level, output: LogOutput) {
        self.format = format
        self.output = output
        logLevel = level
    }

    /// One thing that is said with every event.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes an event down.
    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error { all["error"] = "\(error)" }
        var fields: [(name: String, value: LogLine.Value)] = []
        for (key, value) in all {
            // A line has these three already, and a name stands once.
            Self.flatten(value, Self.taken.contains(key) ? key + "_" : key, into: &fields)
        }
        fields.sort { $0.name < $1.name }
        // `a.b` beside `a` with a `b` in it.
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

    private static let taken: Set<String> = ["time", "level", "message"]
}
