internal import API
internal import Logging
internal import Logs

/// What a server says of what it does, and how.
struct LogSettings {
    var level = Logger.Level.info
    var format = LogFormat.text
    var logsRequests = false
    var passesTrace = false

    /// A log for operators, on standard error.
    var logger: Logger {
        var logger = Logger(label: "sandglass") { [format, level] _ in
            LineLogHandler(format, level: level, output: .standardError)
        }
        logger.logLevel = level
        return logger
    }

    /// A line for each request, if that is wanted.
    var accessLog: AccessLog? { logsRequests ? AccessLog(format, to: .standardError) : nil }
}
