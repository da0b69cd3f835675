internal import Glibc
package import Logging
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
