internal import ArgumentParser
internal import Logs

/// A format of the log on the command line.
struct LogFormatName: ExpressibleByArgument {
    let value: LogFormat

    init?(argument: String) {
        guard let value = LogFormat(rawValue: argument) else { return nil }
        self.value = value
    }
}
