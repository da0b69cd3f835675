internal import Logging
internal import Logs
internal import Settings

/// What a server says of what it does.
enum LogSetting {
    static let all = [
        logLevel.description, logFormat.description, accessLog.description, passTraceparent.description,
    ]

    static let logLevel = Setting<Logger.Level>(
        "logLevel",
        valueName: "level",
        standard: "info",
        must: Logger.Level.allCases.map(\.rawValue).joined(separator: ", "),
        help:
            "The least that is logged to standard error: trace, debug (each run's end), info, notice, warning, error or "
            + "critical.",
        read: { Logger.Level(rawValue: $0) }
    )
    static let logFormat = Setting<LogFormat>(
        "logFormat",
        valueName: "text|json",
        standard: "text",
        must: "text or json",
        help: "text, or json: an object a line.",
        read: { LogFormat(rawValue: $0) }
    )
    static let accessLog = Setting.toggle("accessLog", help: "Log a line for each request.")
    static let passTraceparent = Setting.toggle(
        "passTraceparent",
        help:
            "Tell commands the trace of the request that asked for them (W3C Trace Context), as TRACEPARENT and TRACESTATE."
    )
}
