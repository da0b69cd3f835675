internal import ArgumentParser
internal import Logging
internal import Logs

/// What `serve` says of what it does.
struct LogOptions: ParsableArguments {
    @Option(
        name: .customLong("log-level"),
        help: ArgumentHelp(
            """
            The least that is logged to standard error: trace, debug (each run's end), info, notice, warning, error or \
            critical. (default: info; environment: SANDGLASS_LOG_LEVEL)
            """,
            valueName: "level"
        )
    )
    var level: LogLevelName?

    @Option(
        name: .customLong("log-format"),
        help: ArgumentHelp(
            "text, or json: an object a line. (default: text; environment: SANDGLASS_LOG_FORMAT)",
            valueName: "text|json"
        )
    )
    var format: LogFormatName?

    @Flag(
        name: .customLong("access-log"),
        help: "Log a line for each request. (environment: SANDGLASS_ACCESS_LOG)"
    )
    var accessLog = false

    @Flag(
        name: .customLong("pass-traceparent"),
        help: """
            Tell commands the trace of the request that asked for them (W3C Trace Context), as TRACEPARENT and TRACESTATE. \
            (environment: SANDGLASS_PASS_TRACEPARENT)
            """
    )
    var passesTrace = false

    /// All of it.
    func settings() throws -> LogSettings {
        LogSettings(
            level: try Setting.value(level, "SANDGLASS_LOG_LEVEL")?.value ?? .info,
            format: try Setting.value(format, "SANDGLASS_LOG_FORMAT")?.value ?? .text,
            logsRequests: try Setting.isOn(accessLog, "SANDGLASS_ACCESS_LOG"),
            passesTrace: try Setting.isOn(passesTrace, "SANDGLASS_PASS_TRACEPARENT")
        )
    }
}
