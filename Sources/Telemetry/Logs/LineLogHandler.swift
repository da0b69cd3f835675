package import Logging

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
