internal import ArgumentParser
internal import Logging

/// A level of the log on the command line.
struct LogLevelName: ExpressibleByArgument {
    let value: Logger.Level

    init?(argument: String) {
        guard let value = Logger.Level(rawValue: argument) else { return nil }
        self.value = value
    }
}
