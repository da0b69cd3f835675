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

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error { all["error"] = "\(error)" }
        let fields = all.sorted { $0.key < $1.key }.map { key, value in
            // A line has these three already, and a name stands once.
            (name: Self.taken.contains(key) ? key + "_" : key, value: LogLine.Value.text("\(value)"))
        }
        output.write(LogLine(level: event.level.rawValue, "\(event.message)", fields).bytes(format))
    }

    private static let taken: Set<String> = ["time", "level", "message"]
}
